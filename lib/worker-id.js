'use strict'

const builtin = require('./builtin')

/**
 * Returns the number of this worker thread; `undefined` on the main thread, and in runtimes without
 * worker threads.
 *
 * @returns {number | undefined}
 */
function workerId () {
  try {
    const { isMainThread, threadId } = builtin('worker_threads')
    return isMainThread ? undefined : threadId
  } catch {}
}

module.exports = workerId
