'use strict'

const builtin = require('./builtin')

/**
 * The number of this worker thread; `undefined` on the main thread, and where there are none.
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
