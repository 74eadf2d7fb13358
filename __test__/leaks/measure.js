'use strict'

const fs = require('node:fs')
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
  return { heap: heapUsed + external, rss: anonymous() ?? rss }
}

/**
 * On Linux: resident memory without the pages of files. Those of Node.js come when its code runs for the first time, megabytes after
 * thousands of scrapes, and are the kernel's to drop.
 */
function anonymous () {
  if (process.platform !== 'linux') return undefined
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'latin1').match(/^RssAnon:\s*(\d+) kB$/m) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/**
 * What this process holds, once it is `least` or two seconds have passed: threads and sockets take a moment. Without `least`, once
 * it stays the same.
 */
async function settled (least) {
  const look = () => ({ threads: threads(), serverThreads: serverThreads(), descriptors: descriptors(), resources: process.getActiveResourcesInfo().sort(), timers: timers() })
  const equals = (one, other) => JSON.stringify(one) === JSON.stringify(other)
  let now = look()
  for (let turn = 0, same = 0; turn < 400; turn++) {
    if (least === undefined ? same === 5 : equals(now, least)) break
    await sleep(5)
    const next = look()
    same = equals(now, next) ? same + 1 : 0
    now = next
  }
  return now
}

module.exports = { collect, memory, settled, timers }
