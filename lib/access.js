'use strict'

/*
 * Reads and checks the options `auth`, `tls` and `allowedHosts`. Error messages never contain the
 * values of `auth` and `tls`.
 */

const { invalidSecret, invalidState, invalidType, invalidValue } = require('./errors')
const { nearest } = require('./spelling')
const { warnOfOpenPage, warnOfOption } = require('./warnings')

// The characters that a header can carry, without the space that would end a token.
const TOKEN = /^[\x21-\x7e]+$/
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/
// A name in ASCII or an IPv4 address, or an IPv6 address with or without brackets.
const HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*)$/i

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
  const isPair = isGiven(username) || isGiven(password)
  if (isGiven(bearer) && isPair) {
    throw invalidSecret('auth', 'either { username, password } or { bearer }, not both', auth, 'ERR_INVALID_ARG_VALUE')
  }
  if (!isPair && !('username' in auth || 'password' in auth || 'bearer' in auth)) {
    const keys = Object.keys(auth).map((key) => JSON.stringify(key)).join(', ') || 'nothing'
    throw invalidSecret('auth', `an object: { username, password } or { bearer }; it has ${keys}`, auth)
  }
  warnOfUnknown('auth', auth, ['username', 'password', 'bearer'])
  if (isGiven(bearer) || (!isPair && 'bearer' in auth)) return { __proto__: null, bearer: readToken(bearer) }
  return { __proto__: null, username: readUsername(username), password: readSecret('auth.password', password) }
}

/**
 * Warns of options that have no effect.
 *
 * @param {string} option that has them; empty for the options themselves
 * @param {object} given
 * @param {readonly string[]} known
 * @param {{ onlyNear?: boolean }} [how] `onlyNear`: only of a misspelt one, as others are ignored by contract
 */
function warnOfUnknown (option, given, known, { onlyNear = false } = {}) {
  /** @type {string[]} */
  let keys = []
  try {
    keys = Object.keys(given)
  } catch {} // a proxy of the user
  for (const key of keys) {
    if (known.includes(key)) continue
    const meant = nearest(key, known)
    if (meant === undefined && onlyNear) continue
    warnOfOption(
      `The option ${JSON.stringify(option === '' ? key : `${option}.${key}`)} does not exist and has no effect.`,
      meant === undefined ? `The options are ${known.join(', ')}.` : `Did you mean "${meant}"?`)
  }
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
  if (CONTROL.test(text)) {
    const hint = /[\r\n]$/.test(text) ? ' (it ends in a newline, as a file does: trim() removes it)' : ''
    throw invalidSecret(option, `without control characters${hint}`, text, 'ERR_INVALID_ARG_VALUE')
  }
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
      throw invalidValue('allowedHosts', 'an array of host names in ASCII (xn--…) or addresses, without a port, a scheme and wildcards', host)
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
 * @param {Tls | null} [current] has what `tls` leaves out
 * @returns {Tls}
 */
function readSecureContext (tls, current = null) {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw invalidSecret('tls', 'an object: { cert, key, ca, minVersion }', tls)
  }
  const { cert, key, ca, minVersion } = /** @type {Record<string, unknown>} */ (tls)
  warnOfUnknown('tls', tls, ['cert', 'key', 'ca', 'minVersion'])
  return {
    __proto__: null,
    cert: readPem('tls.cert', cert),
    key: readPem('tls.key', key),
    ca: isGiven(ca) ? readPem('tls.ca', ca) : ca === null ? undefined : current?.ca,
    only13: isGiven(minVersion) ? readVersion(minVersion) === 'TLSv1.3' : minVersion !== null && current?.only13 === true
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
 * Returns the function that replaces the certificate of an exporter that listens with TLS. What it is
 * not given stays: a new certificate must not give access to clients that have none.
 *
 * @param {import('../binding').Exporter} exporter
 * @param {import('./options').Options} options
 * @returns {(context: unknown) => void} throws for a context that cannot be used; nothing has changed then
 */
function secureContextSetter (exporter, { port, auth, tls }) {
  let current = tls
  return (context) => {
    if (current === null || port === null) {
      throw invalidState('There is no certificate to change: no port was opened with the "tls" option')
    }
    const next = readSecureContext(context, current)
    const unusable = exporter.setSecureContext(next)
    if (unusable !== null) throw invalidTls(next, unusable)
    current = next
    if (isOpen({ auth, tls: current })) warnOfOpenPage(exporter.address())
  }
}

/**
 * Returns whether everyone may read the page. Client certificates count as authentication.
 *
 * @param {Pick<import('./options').Options, 'auth' | 'tls'>} options
 */
function isOpen ({ auth, tls }) {
  return auth === null && tls?.ca === undefined
}

module.exports = { invalidTls, isOpen, readAllowedHosts, readAuth, readTls, secureContextSetter, warnOfUnknown }
