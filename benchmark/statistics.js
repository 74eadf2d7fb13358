'use strict'

/** @param {number[]} values */
function median (values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Returns true if these times, in milliseconds, are enough: seven, or three that take more than one second in total. */
function isEnough (values) {
  return values.length >= 7 || (values.length >= 3 && values.reduce((sum, value) => sum + value, 0) > 1000)
}

module.exports = { median, isEnough }
