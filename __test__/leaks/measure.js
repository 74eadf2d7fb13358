'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { threads, serverThreads, descriptors } = require('../support/left-behind')

/** Timers of libuv's own; the report lists those too that keep nothing alive. */
function timers () {
  process.report.excludeNetwork = true
  return process.report.getReport().libuv.filter(({ type, is_active: isActive }) => type === 'timer' && isActive).length
}

/** Collects all that can be, also what is freed on libuv's threads or in a later turn. */
async function collect () {
  for (let turn = 0; turn < 4; turn++) {
    global.gc()
    await sleep(5)
  }
}

/** Heap and resident memory when there is nothing left to collect. */
async function memory () {
  await collect()
  const { heapUsed, rss, external } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

/** What this process holds, once it holds no more than `least` or two seconds have passed: threads and sockets take a moment. */
async function settled (least) {
  const now = () => ({ threads: threads(), serverThreads: serverThreads(), descriptors: descriptors(), resources: process.getActiveResourcesInfo().sort(), timers: timers() })
  for (let turn = 0; turn < 400; turn++) {
    if (least === undefined ? turn > 4 : JSON.stringify(now()) === JSON.stringify(least)) break
    await sleep(5)
  }
  return now()
}

module.exports = { collect, memory, settled, timers }
