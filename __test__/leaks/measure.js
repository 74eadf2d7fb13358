'use strict'

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { threads, serverThreads, descriptors } = require('../support/left-behind')

/** The number of active timers of libuv, including those that do not keep the process alive. */
function timers () {
  process.report.excludeNetwork = true
  return process.report.getReport().libuv.filter(({ type, is_active: isActive }) => type === 'timer' && isActive).length
}

/** Collects garbage, including memory that is freed on libuv's threads or in a later turn of the event loop. */
async function collect () {
  for (let turn = 0; turn < 4; turn++) {
    global.gc()
    await sleep(5)
  }
}

/** Returns the heap and the resident memory after a garbage collection. */
async function memory () {
  await collect()
  const { heapUsed, rss, external } = process.memoryUsage()
  return { heap: heapUsed + external, rss: residentAnonymous() ?? rss }
}

/**
 * Returns, on Linux, the resident memory without file pages. The kernel loads a file page of the Node.js binary when the code in the
 * page runs for the first time, and may remove the page later. Even after thousands of scrapes, these pages change by megabytes.
 */
function residentAnonymous () {
  if (process.platform !== 'linux') return undefined
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'latin1').match(/^RssAnon:\s*(\d+) kB$/m) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/**
 * Returns the resources of this process as soon as they equal `expected`, or after two seconds: threads and sockets do not end at
 * once. Without `expected`, it returns as soon as the resources do not change.
 */
async function settled (expected) {
  const read = () => ({ threads: threads(), serverThreads: serverThreads(), descriptors: descriptors(), resources: process.getActiveResourcesInfo().sort(), timers: timers() })
  const equals = (a, b) => JSON.stringify(a) === JSON.stringify(b)
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
