'use strict'

/*
 * How long the event loop does not come round. A loop of immediates looks at the clock on each turn; the longest time between two
 * looks is the stall. It keeps one core busy, so time taken beside it is not taken as a measurement of anything else.
 */
function watchStalls () {
  let last = performance.now()
  let longest = 0
  let watching = true

  function look () {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setImmediate(look)
  }
  setImmediate(look)

  /** Milliseconds of the longest stall. */
  return function stop () {
    look()
    watching = false
    return longest
  }
}

module.exports = { watchStalls }
