// No addon: the sampler alone, n samples.
const create = require('/tmp/wt/soak/lib/node-metrics.js')
const s = create()
const fs = require('fs')
const { setTimeout: sleep } = require('timers/promises')
;(async () => {
  for (const [k, marks] of [[0, [0, 2500, 10000, 50000, 80000, 100000, 150000, 200000]]]) {
    let n = 0
    for (const m of marks) {
      for (; n < m; n++) { s.sample(); if (n % 10 === 0) await new Promise(setImmediate) }
      for (let i = 0; i < 4; i++) { global.gc(); await sleep(5) }
      const u = process.memoryUsage()
      const ns = require('v8').getHeapSpaceStatistics().find((x) => x.space_name === 'new_space')
      console.log(n, 'rss', u.rss >> 10, 'heapTotal', u.heapTotal >> 10, 'heapUsed', u.heapUsed >> 10, 'new_space', ns.space_size >> 10)
    }
  }
})()
