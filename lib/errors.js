'use strict'

/*
 * Errors in the form of Node.js: a class, a `code`, and a message that names the option, the values that
 * it accepts and the value that it received. They are created here, because not every runtime that loads
 * the addon has the errors of Node.js.
 */

/**
 * Formats a value for an error message, without running its code.
 *
 * @param {unknown} value
 * @returns {string}
 */
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
  try {
    return Array.isArray(value) ? 'an array' : 'an object'
  } catch {
    return 'an object' // a revoked proxy
  }
}

/**
 * Formats a value that may be secret: only its type.
 *
 * @param {unknown} value
 * @returns {string}
 */
function receivedSecret (value) {
  if (value === '') return 'an empty string'
  if (typeof value === 'object' || value === undefined) return received(value)
  return `type ${typeof value}`
}

/**
 * @template {Error} E
 * @param {E} error
 * @param {string} code
 * @returns {E & { code: string }}
 */
function withCode (error, code) {
  return Object.assign(error, { code })
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
 * Returns the same error as `invalidValue`, for a value of a valid type. The message shows the value as JSON.
 *
 * @param {string} option
 * @param {string} expected completes "must be …"
 * @param {unknown} value
 */
function invalidJson (option, expected, value) {
  const message = `The "${option}" option must be ${expected}. Received ${JSON.stringify(value)}`
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE')
}

/**
 * Returns an error whose message does not contain the value of the option.
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
 * Returns the error for a server that cannot listen, with the fields that `net.Server` of Node.js sets.
 *
 * @param {import('../binding').Failure} failure
 */
function systemError ({ message, ...fields }) {
  const hostname = fields.syscall === 'getaddrinfo' ? { hostname: fields.address } : {}
  return Object.assign(new Error(message), fields, hostname)
}

module.exports = { invalidJson, invalidSecret, invalidState, invalidType, invalidValue, outOfRange, systemError }
