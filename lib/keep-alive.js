'use strict'

const LONGEST_DELAY_MS = 2 ** 31 - 1

/**
 * Keeps the process alive while a server listens, as a server of Node.js does: by a timer, the one
 * handle that JavaScript can ref and unref in every runtime.
 */
function keepAlive () {
  const timer = setInterval(() => {}, LONGEST_DELAY_MS)
  return {
    ref: () => { timer.ref() },
    unref: () => { timer.unref() },
    stop: () => { clearInterval(timer) }
  }
}

module.exports = keepAlive
