'use strict'

/*
 * Reads payloads, which can be any value: those of hypertrace, or values that other code passes to the
 * trace function.
 */

/**
 * Returns whether an id is a whole number from 0 to 2³¹ − 1, as the ids of hypertrace are.
 *
 * @param {unknown} id
 * @returns {id is number}
 */
function isCount (id) {
  return typeof id === 'number' && (id | 0) === id && id >= 0
}

/**
 * Combines line and column into one 32-bit number. The number is arbitrary if a payload has no line or column.
 *
 * @param {number} line
 * @param {number} column
 */
function positionOf (line, column) {
  return (line * 1024 + column) | 0
}

/** @param {unknown} caller */
function readPosition (caller) {
  const line = read(caller, 'line')
  const column = read(caller, 'column')
  return typeof line === 'number' && typeof column === 'number' ? positionOf(line, column) : 0
}

/**
 * Reads a property of any value; `undefined` if reading throws.
 *
 * @param {any} target
 * @param {string} key
 * @returns {unknown}
 */
function read (target, key) {
  try {
    return target === null || target === undefined ? undefined : target[key]
  } catch {
    return undefined
  }
}

module.exports = { isCount, positionOf, read, readPosition }
