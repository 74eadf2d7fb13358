'use strict'

/*
 * Reads and checks the options, and sets their defaults. Unknown options are ignored, as in 1.0.0.
 */

const { readAllowedHosts, readAuth, readTls, warnOfUnknown } = require('./access')
const { Exporter, constants } = require('./binding')
const { invalidType, invalidValue, outOfRange } = require('./errors')
const { warnOfOption } = require('./warnings')

const { reservedLabels, overflowLabel, propsPrefixes, workerLabel, processLabel } = constants

/**
 * @typedef {object} Options
 * @property {number | null} port `null`: no server
 * @property {string} host
 * @property {import('../index').Registry | null} register
 * @property {boolean | 'hypertrace'} collectDefaults
 * @property {boolean} cluster true: other processes may share the port
 * @property {boolean} startAtZero shows scrapers each new series at 0 once
 * @property {string[]} allowedProps
 * @property {string} metricName
 * @property {[name: string, value: string][]} defaultLabels
 * @property {string} prefix
 * @property {string[]} omitLabels
 * @property {number} maxSeries
 * @property {number} seriesIdleTimeout in milliseconds; 0: never
 * @property {number} maxLabelValueLength
 * @property {number} history in seconds; 0: nothing is recorded
 * @property {import('./access').Auth | null} auth
 * @property {import('./access').Tls | null} tls
 * @property {string[]} allowedHosts
 */

/**
 * Options that threads of one port must share.
 *
 * @type {(keyof Options)[]}
 */
const SHARED_OPTIONS = [
  'cluster',
  'metricName',
  'allowedProps',
  'omitLabels',
  'defaultLabels',
  'maxSeries',
  'seriesIdleTimeout',
  'maxLabelValueLength',
  'collectDefaults',
  'startAtZero',
  'prefix',
  'history'
]

/** Shared options that are lists whose order has no meaning. */
const UNORDERED = ['omitLabels', 'defaultLabels']

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/**
 * @param {unknown} given
 * @returns {Options}
 * @throws {TypeError | RangeError}
 */
function readOptions (given) {
  if (given === undefined || given === null) given = {}
  if (typeof given !== 'object' || Array.isArray(given)) throw invalidType('options', 'an object', given)
  const options = /** @type {Record<string, unknown>} */ (given)
  /** @type {Options} */
  const read = {
    port: readPort(options.port),
    host: readHost(options.host),
    register: readRegister(options.register),
    cluster: readBoolean('cluster', options.cluster, false),
    collectDefaults: readCollectDefaults(options.collectDefaults),
    startAtZero: readBoolean('startAtZero', options.startAtZero, true),
    allowedProps: readStrings('allowedProps', options.allowedProps),
    metricName: readName('metricName', options.metricName, 'trace_counter'),
    defaultLabels: readLabels(options.defaultLabels),
    prefix: readPrefix(options.prefix),
    omitLabels: readOmitLabels(options.omitLabels),
    maxSeries: readInteger('maxSeries', options.maxSeries, 50_000, 1, 100_000_000),
    seriesIdleTimeout: readInteger('seriesIdleTimeout', options.seriesIdleTimeout, 0, 0, 2 ** 31 - 1),
    maxLabelValueLength: readInteger('maxLabelValueLength', options.maxLabelValueLength, 1024, 1, 65_535),
    history: readInteger('history', options.history, 900, 0, 900),
    auth: readAuth(options.auth),
    tls: readTls(options.tls),
    allowedHosts: readAllowedHosts(options.allowedHosts)
  }
  checkMetricName(read)
  checkCluster(read)
  warnOfSharedLabels(read.allowedProps)
  warnOfUnknown('', options, Object.keys(read), { onlyNear: true })
  return read
}

const DIGITS = /^\d+$/

/**
 * Reads a number, or the digits of an environment variable.
 *
 * @param {unknown} value
 */
function numberOf (value) {
  return typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
}

/** @param {unknown} port */
function readPort (port) {
  if (port === undefined || port === null || port === false) return null
  const number = numberOf(port)
  if (typeof number !== 'number') throw invalidType('port', 'a whole number from 0 to 65535, or its digits', port)
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw outOfRange('port', '>= 0 and < 65536', port, 'ERR_SOCKET_BAD_PORT')
  }
  return number
}

// A name or an IPv4 address without a port, or an IPv6 address without brackets.
const HOST = /^([^\s:/?#@[\]]+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*(%[^\s/]+)?)$/i

/** @param {unknown} host */
function readHost (host) {
  if (host === undefined || host === null) return 'localhost'
  if (typeof host !== 'string' || host === '') throw invalidType('host', 'a host name or address', host)
  if (!HOST.test(host)) {
    throw invalidValue('host', 'a host name or address, without a scheme, brackets, spaces or a port', host)
  }
  return host
}

const REGISTER_METHODS = ['registerMetric', 'getSingleMetric', 'removeSingleMetric', 'metrics']

/**
 * @param {unknown} register
 * @returns {import('../index').Registry | null}
 */
function readRegister (register) {
  if (register === undefined || register === null) return null
  const missing = missingMethod(register)
  if (missing === undefined) return /** @type {import('../index').Registry} */ (register)
  const { prototype, register: inner } = /** @type {{ prototype?: unknown, register?: unknown }} */ (register)
  const hint = typeof register === 'function' && missingMethod(prototype) === undefined
    ? 'this is its class: pass new Registry()'
    : missingMethod(inner) === undefined ? 'this has one: pass its property "register"' : `it has no ${missing}()`
  throw invalidType('register', `a prom-client style registry (${hint})`, register)
}

/**
 * Returns the first method of a registry that an object does not have.
 *
 * @param {unknown} object
 */
function missingMethod (object) {
  const methods = /** @type {Record<string, unknown>} */ (object ?? {})
  return REGISTER_METHODS.find((method) => typeof methods[method] !== 'function')
}

/**
 * @param {unknown} value
 * @returns {boolean | 'hypertrace'}
 */
function readCollectDefaults (value) {
  if (value === 'hypertrace') return value
  if (value !== undefined && value !== null && typeof value !== 'boolean') {
    throw invalidType('collectDefaults', 'a boolean or "hypertrace"', value)
  }
  return value ?? true
}

/**
 * Throws if the counter would have the name of another family of the page.
 *
 * @param {Options} options
 */
function checkMetricName ({ metricName, prefix, collectDefaults }) {
  const family = Exporter.collidingFamily(metricName, collectDefaults === true ? prefix : null)
  if (family !== null) throw invalidValue('metricName', `a name that no other family of the page has (the page has ${family})`, metricName)
}

/**
 * Throws if the processes of a port could not share a page.
 *
 * @param {Options} options
 */
function checkCluster ({ cluster, register, defaultLabels }) {
  if (!cluster) return
  // A registry writes its page on the JavaScript thread. A scrape of all processes must not wait for that thread.
  if (register !== null) throw invalidValue('register', 'left out with cluster: true', register)
  if (defaultLabels.some(([name]) => name === processLabel)) {
    throw invalidValue('defaultLabels', `without "${processLabel}", the label of processes, with cluster: true`, processLabel)
  }
}

/** @param {string[]} props */
function warnOfSharedLabels (props) {
  /** @type {Map<string, string>} */
  const owners = new Map()
  for (const prop of props) {
    const label = prop.replace(/[^A-Za-z0-9_]/g, '_')
    const other = owners.get(label) ?? prop
    owners.set(label, prop)
    if (other !== prop) {
      warnOfOption(`The properties ${JSON.stringify(other)} and ${JSON.stringify(prop)} of allowedProps have one label, object_props_${label}: ` +
        'where an object has both, the later one is shown.', 'Allow only one of them, or rename one.')
    }
  }
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {boolean} fallback
 */
function readBoolean (option, value, fallback) {
  if (value === undefined || value === null) return fallback
  if (typeof value !== 'boolean') throw invalidType(option, 'a boolean', value)
  return value
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {number} fallback
 * @param {number} least
 * @param {number} most
 */
function readInteger (option, value, fallback, least, most) {
  if (value === undefined || value === null) return fallback
  const number = numberOf(value)
  if (typeof number !== 'number') throw invalidType(option, 'a whole number, or its digits', value)
  if (!Number.isInteger(number) || number < least || number > most) {
    throw outOfRange(option, `a whole number >= ${least} and <= ${most}`, value)
  }
  return number
}

/**
 * @param {string} option
 * @param {unknown} value
 * @returns {string[]}
 */
function readStrings (option, value) {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalidType(option, 'an array of strings', value)
  return Array.from(value, (item) => {
    if (typeof item !== 'string') throw invalidType(option, 'an array of strings', item)
    return item
  })
}

/** @param {unknown} value */
function readOmitLabels (value) {
  const labels = readStrings('omitLabels', value)
  const unknown = labels.find((label) => !reservedLabels.includes(label))
  if (unknown !== undefined) {
    throw invalidValue('omitLabels', `an array of any of ${reservedLabels.join(', ')}`, unknown)
  }
  return labels
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {string} fallback
 */
function readName (option, value, fallback) {
  if (value === undefined || value === null) return fallback
  if (typeof value !== 'string') throw invalidType(option, 'a string', value)
  if (!METRIC_NAME.test(value)) {
    throw invalidValue(option, 'made of letters, digits, _ and :, and must not start with a digit', value)
  }
  return value
}

/** @param {unknown} prefix */
function readPrefix (prefix) {
  return prefix === '' ? '' : readName('prefix', prefix, '')
}

const LABEL_TYPES = ['string', 'number', 'bigint', 'boolean']

/**
 * @param {unknown} value
 * @returns {[string, string][]}
 */
function readLabels (value) {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Symbol.iterator in value) {
    throw invalidType('defaultLabels', 'an object of label names and values', value)
  }
  return Object.entries(value).map(([name, labelValue]) => {
    if (!LABEL_NAME.test(name) || name.startsWith('__')) {
      throw invalidValue('defaultLabels', 'an object whose names are made of letters, digits and _, and do not start with a digit or __', name)
    }
    if (isCounterLabel(name)) {
      throw invalidValue('defaultLabels', 'an object without the names of the trace counter\'s own labels', name)
    }
    if (!LABEL_TYPES.includes(typeof labelValue)) {
      throw invalidType(`defaultLabels.${name}`, 'a string, a number, a bigint or a boolean', labelValue)
    }
    if (Number.isNaN(labelValue)) throw invalidValue(`defaultLabels.${name}`, 'a number other than NaN', labelValue)
    return [name, String(labelValue)]
  })
}

/** @param {string} name */
function isCounterLabel (name) {
  return reservedLabels.includes(name) || name === overflowLabel || propsPrefixes.some((prefix) => name.startsWith(prefix))
}

/**
 * Returns the names of the shared options, and their values in a canonical form.
 *
 * @param {Options} options
 * @returns {[name: string, value: string][]}
 */
function sharedOptions (options) {
  return SHARED_OPTIONS.map((name) => {
    const value = options[name]
    return [name, JSON.stringify(UNORDERED.includes(name) && Array.isArray(value) ? [...value].sort() : value)]
  })
}

/**
 * Returns the option that prevents a thread from joining another, and the text that completes "must be …" for it.
 *
 * @param {Options} options
 * @returns {{ option: keyof Options, expected: string } | null}
 */
function joinBlocker ({ register, collectDefaults, defaultLabels }) {
  if (register !== null) return { option: 'register', expected: 'left out' }
  // The samples of one thread would have the label of another.
  if (collectDefaults === true && defaultLabels.some(([name]) => name === workerLabel)) {
    return { option: 'defaultLabels', expected: `without "${workerLabel}", the label of worker threads,` }
  }
  return null
}

module.exports = { joinBlocker, readOptions, sharedOptions }
