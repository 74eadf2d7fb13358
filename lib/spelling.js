'use strict'

/*
 * Finds the existing name for a misspelt name. Pure.
 */

/**
 * Returns the name in `names` that differs from `name` only by case or by one letter: a letter is added, missing or
 * replaced, or two neighbours are exchanged.
 *
 * @param {string} name
 * @param {readonly string[]} names
 * @returns {string | undefined}
 */
function nearest (name, names) {
  const lower = name.toLowerCase()
  return names.find((other) => isNear(lower, other.toLowerCase()))
}

/**
 * @param {string} a
 * @param {string} b
 */
function isNear (a, b) {
  if (a === b) return true
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  const restOfA = a.slice(start)
  const restOfB = b.slice(start)
  return restOfA.slice(1) === restOfB || // added
    restOfA === restOfB.slice(1) || // missing
    restOfA.slice(1) === restOfB.slice(1) || // replaced
    (restOfA.slice(2) === restOfB.slice(2) && restOfA[0] === restOfB[1] && restOfA[1] === restOfB[0]) // exchanged
}

module.exports = { nearest }
