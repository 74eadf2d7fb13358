'use strict'

/*
 * The options that tell who is let in. What they hold is never told by an error, whatever is wrong.
 */

const { invalidSecret, invalidType, invalidValue } = require('./errors')

// What a header can carry, without the space that would end a token.
const TOKEN = /^[\x21-\x7e]+$/
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/
const HOST = /^(\[[0-9a-f:.]+\]|[0-9a-f:.]*:[0-9a-f:.]*|[^\s:/?#@[\]]+)$/i

/**
 * @typedef {{ bearer: string } | { username: string, password: string }} Auth
 *
 * @param {any} auth
 * @returns {Auth | null}
 * @throws {TypeError}
 */
function readAuth (auth) {
  if (auth === undefined || auth === null) return null
  if (typeof auth !== 'object' || Array.isArray(auth)) {
    throw invalidSecret('auth', 'an object: { username, password } or { bearer }', auth)
  }
  const { username, password, bearer } = auth
  if (isGiven(bearer)) {
    if (isGiven(username) || isGiven(password)) {
      throw invalidSecret('auth', 'either { username, password } or { bearer }, not both', auth, 'ERR_INVALID_ARG_VALUE')
    }
    readText('auth.bearer', bearer)
    if (!TOKEN.test(bearer)) {
      throw invalidSecret('auth.bearer', 'made of visible ASCII characters', bearer, 'ERR_INVALID_ARG_VALUE')
    }
    return { bearer }
  }
  readText('auth.username', username)
  readText('auth.password', password)
  if (username.includes(':')) {
    throw invalidSecret('auth.username', 'without a colon, which ends it', username, 'ERR_INVALID_ARG_VALUE')
  }
  for (const [name, value] of [['auth.username', username], ['auth.password', password]]) {
    if (CONTROL.test(value)) throw invalidSecret(name, 'without control characters', value, 'ERR_INVALID_ARG_VALUE')
  }
  return { username, password }
}

const isGiven = (value) => value !== undefined && value !== null

function readText (name, value) {
  if (typeof value !== 'string') throw invalidSecret(name, 'a string that is not empty', value)
  if (value === '') throw invalidSecret(name, 'a string that is not empty', value, 'ERR_INVALID_ARG_VALUE')
}

/**
 * @param {any} hosts
 * @returns {string[]}
 * @throws {TypeError}
 */
function readAllowedHosts (hosts) {
  if (hosts === undefined || hosts === null) return []
  if (!Array.isArray(hosts)) throw invalidType('allowedHosts', 'an array of host names', hosts)
  for (const host of hosts) {
    if (typeof host !== 'string') throw invalidType('allowedHosts', 'an array of host names', host)
    if (!HOST.test(host)) {
      throw invalidValue('allowedHosts', 'an array of host names or addresses, without a port', host)
    }
  }
  return [...hosts]
}

module.exports = { readAllowedHosts, readAuth }
