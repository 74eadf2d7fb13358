'use strict'

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { threads, serverThreads, descriptors } = require('../support/left-behind')

/** Returns the number of libuv's active timers. The report also lists timers that do not keep the process alive. */
function timers () {
  process.report.excludeNetwork = true
  return process.report.getReport().libuv.filter(({ type, is_active: isActive }) => type === 'timer' && isActive).length
}

/** Collects garbage several times: some memory is freed on libuv's threads or in a later turn. */
async function collect () {
  for (let turn = 0; turn < 4; turn++) {
    global.gc()
    await sleep(5)
  }
}

/** Returns heap and resident memory after garbage collection. */
async function memory () {
  await collect()
  const { heapUsed, rss, external } = process.memoryUsage()
  return { heap: heapUsed + external, rss: anonymous() ?? rss }
}

/**
 * Returns, on Linux, the resident memory without pages of files. The kernel maps pages of Node.js when its code runs for the first
 * time, megabytes over thousands of scrapes, and can unmap them.
 */
function anonymous () {
  if (process.platform !== 'linux') return undefined
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'latin1').match(/^RssAnon:\s*(\d+) kB$/m) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/**
 * Returns the resources of this process when they equal `expected`, or after two seconds: threads and sockets close with a delay.
 * Without `expected`, returns them when they no longer change.
 */
async function settled (expected) {
  const read = () => ({ threads: threads(), serverThreads: serverThreads(), descriptors: descriptors(), resources: process.getActiveResourcesInfo().sort(), timers: timers() })
  const equals = (one, other) => JSON.stringify(one) === JSON.stringify(other)
  let now = read()
  for (let turn = 0, same = 0; turn < 400; turn++) {
    if (expected === undefined ? same === 5 : equals(now, expected)) break
    await sleep(5)
    const next = read()
    same = equals(now, next) ? same + 1 : 0
    now = next
  }
  return now
}

module.exports = { collect, memory, settled, timers }
