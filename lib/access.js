'use strict'

/*
 * Reads and checks the options `auth`, `tls` and `allowedHosts`. Error messages never contain the
 * values of `auth` and `tls`.
 */

const { invalidSecret, invalidState, invalidType, invalidValue } = require('./errors')
const { nearest } = require('./spelling')
const { warnOfOpenPage, warnOfOption } = require('./warnings')

// The characters that a header can contain, except for the space, which would end a token.
const TOKEN = /^[\x21-\x7e]+$/
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/
// Files of secrets often end in a line break.
const LINE_BREAK = /[\r\n]$/
const TRIMMED = 'without the line break at its end, which trim() removes'
// A host name as a request can have it, or an IPv4 address.
const HOST = /^(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i
const IPV6 = /^(\[[0-9a-f:.]+\]|[0-9a-f:.]+)$/i
const GROUP = /^[0-9a-f]{1,4}$/i
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/

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
 * @param {string} option the option that contains them; empty for the top level
 * @param {object} given
 * @param {readonly string[]} names of the options that exist
 * @param {{ onlyNear?: boolean }} [how] `onlyNear`: warns only of a misspelt option; any other one is ignored
 */
function warnOfUnknown (option, given, names, { onlyNear = false } = {}) {
  /** @type {string[]} */
  let keys = []
  try {
    keys = Object.keys(given)
  } catch {} // a proxy of the user
  for (const key of keys) {
    if (names.includes(key)) continue
    const meant = nearest(key, names)
    if (meant === undefined && onlyNear) continue
    warnOfOption(
      `The option ${JSON.stringify(option === '' ? key : `${option}.${key}`)} does not exist and has no effect.`,
      meant === undefined ? `The options are ${names.join(', ')}.` : `Did you mean "${meant}"?`)
  }
}

/** @param {unknown} value */
const isGiven = (value) => value !== undefined && value !== null

/** @param {unknown} bearer */
function readToken (bearer) {
  const token = readText('auth.bearer', bearer)
  if (!TOKEN.test(token)) {
    throw invalidSecret('auth.bearer', LINE_BREAK.test(token) ? TRIMMED : 'made of visible ASCII characters', token, 'ERR_INVALID_ARG_VALUE')
  }
  return token
}

/** @param {unknown} value */
function readUsername (value) {
  const username = readSecret('auth.username', value)
  if (username.includes(':')) {
    throw invalidSecret('auth.username', 'without a colon, which would end the username', username, 'ERR_INVALID_ARG_VALUE')
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
    throw invalidSecret(option, LINE_BREAK.test(text) ? TRIMMED : 'without control characters', text, 'ERR_INVALID_ARG_VALUE')
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
    const expected = expectedHost(host)
    if (expected !== null) throw invalidValue('allowedHosts', `an array of ${expected}`, host)
    return host
  })
}

/**
 * Returns the expected form of an entry of `allowedHosts` if no request can match the entry; else `null`.
 *
 * @param {string} host
 */
function expectedHost (host) {
  if (host.includes('*')) return 'whole host names, without wildcards'
  // eslint-disable-next-line no-control-regex
  if (/[^\x00-\x7f]/.test(host)) return 'host names in their ASCII form (xn--…)'
  return HOST.test(host) || isIPv6(host) ? null : 'host names or addresses, without a port'
}

/** @param {string} host an IPv6 address, with or without brackets */
function isIPv6 (host) {
  if (!IPV6.test(host)) return false
  const halves = host.replace(/^\[|\]$/g, '').split('::')
  const groups = halves.flatMap((half) => half === '' ? [] : half.split(':'))
  const hasIPv4 = IPV4.test(groups.at(-1) ?? '')
  const count = groups.length + (hasIPv4 ? 1 : 0)
  return groups.slice(0, hasIPv4 ? -1 : undefined).every((group) => GROUP.test(group)) &&
    (halves.length === 2 ? count < 8 : halves.length === 1 && count === 8)
}

/**
 * @typedef {import('../binding').TlsOptions & { __proto__: null }} Tls
 *
 * @param {unknown} tls
 * @returns {Tls | null}
 * @throws {TypeError}
 */
function readTls (tls) {
  if (tls === undefined || tls === null) return null
  const { ca, only13, ...pair } = readSecureContext(tls)
  return { __proto__: null, ...pair, ca: ca ?? undefined, only13: only13 ?? false }
}

/**
 * Reads a certificate and the options beside it. Options that are left out are `undefined`.
 *
 * @param {unknown} tls
 */
function readSecureContext (tls) {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw invalidSecret('tls', 'an object: { cert, key, ca, minVersion }', tls)
  }
  const { cert, key, ca, minVersion } = /** @type {Record<string, unknown>} */ (tls)
  warnOfUnknown('tls', tls, ['cert', 'key', 'ca', 'minVersion'])
  return {
    cert: readPem('tls.cert', cert),
    key: readPem('tls.key', key),
    ca: isGiven(ca) ? readPem('tls.ca', ca) : /** @type {null | undefined} */ (ca),
    only13: isGiven(minVersion) ? readVersion(minVersion) === 'TLSv1.3' : undefined
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

/** Returns the name of the class of a typed array of any realm. A property of the array cannot change the result. */
const typedArrayName = /** @type {() => string | undefined} */ (
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get
)

/**
 * Returns the error for a certificate, key or authority that Rust cannot use.
 *
 * @param {Pick<Tls, 'cert' | 'key' | 'ca'>} tls
 * @param {import('../binding').UnusableTls} unusable
 */
function invalidTls (tls, { option, expected }) {
  return invalidSecret(`tls.${option}`, expected, tls[option], 'ERR_INVALID_ARG_VALUE')
}

/**
 * Replaces the certificate of an exporter that listens with TLS. Options that are left out stay as they are;
 * `ca: null` drops the authorities.
 *
 * @param {import('../binding').Exporter} exporter
 * @param {Pick<import('./options').Options, 'port' | 'auth' | 'tls'>} options
 * @param {unknown} context
 * @throws {Error} if the context cannot be used; then nothing has changed
 */
function setSecureContext (exporter, { port, auth, tls }, context) {
  if (tls === null || port === null) {
    throw invalidState('There is no certificate to change: no port was opened with the "tls" option')
  }
  const { ca, ...more } = readSecureContext(context)
  const renewal = { __proto__: null, ...more, ca: ca ?? undefined, dropsCa: ca === null }
  const unusable = exporter.setSecureContext(renewal)
  if (unusable !== null) throw invalidTls(renewal, unusable)
  if (renewal.dropsCa && auth === null) warnOfOpenPage(exporter.address())
}

/**
 * Returns whether everyone may read the page. Client certificates count as authentication.
 *
 * @param {Pick<import('./options').Options, 'auth' | 'tls'>} options
 */
function isOpen ({ auth, tls }) {
  return auth === null && tls?.ca === undefined
}

module.exports = { invalidTls, isOpen, readAllowedHosts, readAuth, readTls, setSecureContext, warnOfUnknown }
