'use strict'

const LONGEST_DELAY_MS = 2 ** 31 - 1

/**
 * Keeps the process alive while a server listens, as Node's own servers do. A timer that never has
 * anything to do is the one handle that every runtime lets JavaScript hold and let go of.
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
