'use strict'

/*
 * Measures the longest stall of the event loop. A loop of immediates reads the clock on each turn; the longest time between two
 * readings is the stall. It keeps one core busy, so no other time is measured while it runs.
 */
function watchStalls () {
  let last = performance.now()
  let longest = 0
  let watching = true

  function check () {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setImmediate(check)
  }
  setImmediate(check)

  /** Returns the longest stall in milliseconds. */
  return function stop () {
    check()
    watching = false
    return longest
  }
}

module.exports = { watchStalls }
