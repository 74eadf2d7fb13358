'use strict'

/*
 * Reading payloads, which may be anything: hypertrace's own, or what somebody else hands to the trace function.
 */

/** Whether an id is a number as hypertrace counts objects: whole, and no more than 31 bits. */
function isCount (id) {
  return typeof id === 'number' && (id | 0) === id && id >= 0
}

/** Line and column as one 32-bit number; some one where a payload has none. */
function placeOf (line, column) {
  return (line * 1024 + column) | 0
}

function placeRead (caller) {
  const line = read(caller, 'line')
  const column = read(caller, 'column')
  return typeof line === 'number' && typeof column === 'number' ? placeOf(line, column) : 0
}

/** A property of whatever it is; `undefined` where reading it throws. */
function read (target, key) {
  try {
    return target === null || target === undefined ? undefined : target[key]
  } catch {
    return undefined
  }
}

module.exports = { isCount, placeOf, placeRead, read }
