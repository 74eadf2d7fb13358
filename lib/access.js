'use strict'

/*
 * The options that tell who is let in. What they hold is never told by an error, whatever is wrong.
 */

const { invalidSecret, invalidState, invalidType, invalidValue } = require('./errors')

// What a header can carry, without the space that would end a token.
const TOKEN = /^[\x21-\x7e]+$/
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/
// An IPv6 address, with or without brackets, has two colons at least; what has one has a port.
const HOST = /^(\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|[^\s:/?#@[\]]+)$/i

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

/**
 * @typedef {string | Uint8Array} Pem
 * @typedef {{ cert: Pem, key: Pem, ca?: Pem, only13: boolean }} Tls
 *
 * @param {any} tls
 * @returns {Tls | null}
 * @throws {TypeError}
 */
function readTls (tls) {
  return tls === undefined || tls === null ? null : readSecureContext(tls)
}

function readSecureContext (tls) {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw invalidSecret('tls', 'an object: { cert, key, ca, minVersion }', tls)
  }
  const { cert, key, ca, minVersion } = tls
  readPem('tls.cert', cert)
  readPem('tls.key', key)
  if (isGiven(ca)) readPem('tls.ca', ca)
  if (isGiven(minVersion) && !TLS_VERSIONS.includes(minVersion)) {
    throw invalidValue('tls.minVersion', `one of ${TLS_VERSIONS.join(', ')}`, minVersion)
  }
  return { cert, key, ca: ca ?? undefined, only13: minVersion === 'TLSv1.3' }
}

const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3']

function readPem (name, value) {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw invalidSecret(name, 'a string or a Buffer in PEM form', value)
  }
}

/**
 * Gives an exporter the certificate to show, before it listens.
 *
 * @param {any} exporter
 * @param {Tls | null} tls
 * @throws {TypeError} for what cannot be read or does not belong together
 */
function secure (exporter, tls) {
  if (tls === null) return
  const unusable = exporter.secure(tls)
  if (unusable == null) return
  const { option, expected } = unusable
  throw invalidSecret(`tls.${option}`, expected, tls[option], 'ERR_INVALID_ARG_VALUE')
}

/**
 * Changes the certificate of an exporter that has listened with one.
 *
 * @param {any} exporter
 * @param {import('./options').Options} options
 * @param {any} tls
 */
function setSecureContext (exporter, options, tls) {
  if (options.tls === null || options.port === null) {
    throw invalidState('There is no certificate to change: no port was opened with the "tls" option')
  }
  secure(exporter, readSecureContext(tls))
}

module.exports = { readAllowedHosts, readAuth, readTls, secure, setSecureContext }
