'use strict'

/*
 * Errors in Node's manner: a class, a `code`, and a message that names the option, says what it got
 * and what it takes. Written here because not every runtime that loads the addon has Node's own.
 */

/** How a value is told in a message: short, and never by running its code. */
function received (value) {
  switch (typeof value) {
    case 'undefined': return 'undefined'
    case 'string': return `type string (${JSON.stringify(value.length > 28 ? value.slice(0, 25) + '...' : value)})`
    case 'number':
    case 'boolean': return `type ${typeof value} (${String(value)})`
    case 'bigint': return `type bigint (${value}n)`
    case 'symbol': return `type symbol (${String(value)})`
    case 'function': return 'a function'
  }
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : 'an object'
}

/** The same of what may be secret: no more than what kind of thing it is. */
function receivedSecret (value) {
  if (value === '') return 'an empty string'
  if (typeof value === 'object' || value === undefined) return received(value)
  return `type ${typeof value}`
}

function withCode (error, code) {
  error.code = code
  return error
}

/**
 * @param {string} option
 * @param {string} expected completes "must be …"
 * @param {unknown} value
 */
function invalidType (option, expected, value) {
  const message = `The "${option}" option must be ${expected}. Received ${received(value)}`
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE')
}

/**
 * @param {string} option
 * @param {string} expected completes "must be …"
 * @param {unknown} value
 */
function invalidValue (option, expected, value) {
  const message = `The "${option}" option must be ${expected}. Received ${received(value)}`
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE')
}

/**
 * An error of an option whose value is never to be seen, in a log or anywhere.
 *
 * @param {string} option
 * @param {string} expected completes "must be …"
 * @param {unknown} value
 * @param {string} [code]
 */
function invalidSecret (option, expected, value, code = 'ERR_INVALID_ARG_TYPE') {
  const message = `The "${option}" option must be ${expected}. Received ${receivedSecret(value)}`
  return withCode(new TypeError(message), code)
}

/** @param {string} message */
function invalidState (message) {
  return withCode(new Error(message), 'ERR_INVALID_STATE')
}

/**
 * @param {string} option
 * @param {string} range completes "It must be …"
 * @param {unknown} value
 * @param {string} [code]
 */
function outOfRange (option, range, value, code = 'ERR_OUT_OF_RANGE') {
  const message = `The value of the "${option}" option is out of range. It must be ${range}. Received ${received(value)}`
  return withCode(new RangeError(message), code)
}

/**
 * The error of a failed listen, as Node's `net.Server` emits it.
 *
 * @param {{ message: string, code: string, errno?: number, syscall: string, address: string, port: number, hostname?: string }} failure
 */
function systemError ({ message, ...facts }) {
  if (facts.syscall === 'getaddrinfo') facts.hostname = facts.address
  return Object.assign(new Error(message), facts)
}

module.exports = { invalidSecret, invalidState, invalidType, invalidValue, outOfRange, systemError }
