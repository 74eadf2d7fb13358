'use strict'

/*
 * Reads and checks the options `auth`, `tls` and `allowedHosts`. Error messages never contain the
 * values of `auth` and `tls`.
 */

const { invalidSecret, invalidState, invalidType, invalidValue } = require('./errors')

// The characters that a header can carry, without the space that would end a token.
const TOKEN = /^[\x21-\x7e]+$/
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/
// An IPv6 address has at least two colons, with or without brackets; a name with one colon has a port.
const HOST = /^(\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|[^\s:/?#@[\]]+)$/i

/**
 * @typedef {{ __proto__: null, bearer: string } | { __proto__: null, username: string, password: string }} Auth
 *
 * @param {unknown} auth
 * @returns {Auth | null}
 * @throws {TypeError}
 */
function readAuth (auth) {
  if (auth === undefined || auth === null) return null
  if (typeof auth !== 'object' || Array.isArray(auth)) {
    throw invalidSecret('auth', 'an object: { username, password } or { bearer }', auth)
  }
  const { username, password, bearer } = /** @type {Record<string, unknown>} */ (auth)
  if (isGiven(bearer)) {
    if (isGiven(username) || isGiven(password)) {
      throw invalidSecret('auth', 'either { username, password } or { bearer }, not both', auth, 'ERR_INVALID_ARG_VALUE')
    }
    return { __proto__: null, bearer: readToken(bearer) }
  }
  return { __proto__: null, username: readUsername(username), password: readSecret('auth.password', password) }
}

/** @param {unknown} value */
const isGiven = (value) => value !== undefined && value !== null

/** @param {unknown} bearer */
function readToken (bearer) {
  const token = readText('auth.bearer', bearer)
  if (!TOKEN.test(token)) {
    throw invalidSecret('auth.bearer', 'made of visible ASCII characters', token, 'ERR_INVALID_ARG_VALUE')
  }
  return token
}

/** @param {unknown} value */
function readUsername (value) {
  const username = readSecret('auth.username', value)
  if (username.includes(':')) {
    throw invalidSecret('auth.username', 'without a colon, which ends it', username, 'ERR_INVALID_ARG_VALUE')
  }
  return username
}

/**
 * @param {string} option
 * @param {unknown} value
 */
function readSecret (option, value) {
  const text = readText(option, value)
  if (CONTROL.test(text)) throw invalidSecret(option, 'without control characters', text, 'ERR_INVALID_ARG_VALUE')
  return text
}

/**
 * @param {string} option
 * @param {unknown} value
 */
function readText (option, value) {
  if (typeof value !== 'string') throw invalidSecret(option, 'a string that is not empty', value)
  if (value === '') throw invalidSecret(option, 'a string that is not empty', value, 'ERR_INVALID_ARG_VALUE')
  return value
}

/**
 * @param {unknown} hosts
 * @returns {string[]}
 * @throws {TypeError}
 */
function readAllowedHosts (hosts) {
  if (hosts === undefined || hosts === null) return []
  if (!Array.isArray(hosts)) throw invalidType('allowedHosts', 'an array of host names', hosts)
  return Array.from(hosts, (host) => {
    if (typeof host !== 'string') throw invalidType('allowedHosts', 'an array of host names', host)
    if (!HOST.test(host)) {
      throw invalidValue('allowedHosts', 'an array of host names or addresses, without a port', host)
    }
    return host
  })
}

/**
 * @typedef {import('../binding').TlsOptions & { __proto__: null }} Tls
 *
 * @param {unknown} tls
 * @returns {Tls | null}
 * @throws {TypeError}
 */
function readTls (tls) {
  return tls === undefined || tls === null ? null : readSecureContext(tls)
}

/**
 * @param {unknown} tls
 * @returns {Tls}
 */
function readSecureContext (tls) {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw invalidSecret('tls', 'an object: { cert, key, ca, minVersion }', tls)
  }
  const { cert, key, ca, minVersion } = /** @type {Record<string, unknown>} */ (tls)
  return {
    __proto__: null,
    cert: readPem('tls.cert', cert),
    key: readPem('tls.key', key),
    ca: isGiven(ca) ? readPem('tls.ca', ca) : undefined,
    only13: isGiven(minVersion) && readVersion(minVersion) === 'TLSv1.3'
  }
}

const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3']

/** @param {unknown} version */
function readVersion (version) {
  if (typeof version !== 'string' || !TLS_VERSIONS.includes(version)) {
    throw invalidValue('tls.minVersion', `one of ${TLS_VERSIONS.join(', ')}`, version)
  }
  return version
}

/**
 * Reads PEM data. Bytes are copied: their memory may be shared, or detached later.
 *
 * @param {string} option
 * @param {unknown} value
 */
function readPem (option, value) {
  if (typeof value === 'string') return value
  try {
    if (ArrayBuffer.isView(value) && typedArrayName.call(value) === 'Uint8Array') return new Uint8Array(/** @type {Uint8Array} */ (value))
  } catch {} // detached memory
  throw invalidSecret(option, 'a string or a Buffer in PEM form', value)
}

/** Returns the class of a typed array of any realm. It cannot be replaced by a property of the array. */
const typedArrayName = /** @type {() => string | undefined} */ (
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get
)

/**
 * The error of a certificate, key or authority that Rust cannot use.
 *
 * @param {Tls} tls
 * @param {import('../binding').UnusableTls} unusable
 */
function invalidTls (tls, { option, expected }) {
  return invalidSecret(`tls.${option}`, expected, tls[option], 'ERR_INVALID_ARG_VALUE')
}

/**
 * Replaces the certificate of an exporter that listens with TLS.
 *
 * @param {import('../binding').Exporter} exporter
 * @param {import('./options').Options} options
 * @param {unknown} context
 * @throws {TypeError} for a context that cannot be used; nothing has changed then
 */
function setSecureContext (exporter, options, context) {
  if (options.tls === null || options.port === null) {
    throw invalidState('There is no certificate to change: no port was opened with the "tls" option')
  }
  const tls = readSecureContext(context)
  const unusable = exporter.setSecureContext(tls)
  if (unusable !== null) throw invalidTls(tls, unusable)
}

module.exports = { invalidTls, readAllowedHosts, readAuth, readTls, setSecureContext }
