'use strict'

/*
 * Measures the longest stall of the event loop. An immediate reads the clock in each iteration of the event loop; the longest time
 * between two readings is the longest stall. The immediates keep one core busy, so a row measures no other time meanwhile.
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

  /** Ends the measurement, and returns the longest stall in milliseconds. */
  return function stop () {
    check()
    watching = false
    return longest
  }
}

module.exports = { watchStalls }
