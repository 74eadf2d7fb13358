'use strict'

/*
 * The options: their defaults, and an error at the call for what cannot be meant. Options that are
 * not known are ignored, as in the JavaScript package of this name.
 */

const { readAllowedHosts, readAuth, readTls } = require('./access')
const { invalidType, invalidValue, outOfRange } = require('./errors')

/** The labels that every trace can have; the rest are properties' and the user's own. */
const RESERVED_LABELS = [
  'object_classname',
  'object_id',
  'caller_functionname',
  'caller_filename',
  'id',
  'parent_object_classname',
  'parent_object_id'
]

const SHARED_OPTIONS = [
  'metricName',
  'allowedProps',
  'omitLabels',
  'defaultLabels',
  'maxSeries',
  'seriesIdleTimeout',
  'maxLabelValueLength',
  'collectDefaults',
  'startAtZero',
  'prefix'
]

const IN_ANY_ORDER = ['omitLabels', 'defaultLabels']

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const PROPS_LABEL = /^(object|parent_object|caller)_props_/

/**
 * @typedef {object} Options
 * @property {number | null} port `null`: no server
 * @property {string} host
 * @property {any} register
 * @property {boolean} collectDefaults
 * @property {boolean} startAtZero shows scrapers each new series at 0 once
 * @property {string[]} allowedProps
 * @property {string} metricName
 * @property {[string, string][]} defaultLabels
 * @property {string} prefix
 * @property {string[]} omitLabels
 * @property {number} maxSeries
 * @property {number} seriesIdleTimeout in milliseconds; 0: none
 * @property {number} maxLabelValueLength
 * @property {import('./access').Auth | null} auth
 * @property {import('./access').Tls | null} tls
 * @property {string[]} allowedHosts
 *
 * @param {any} given
 * @returns {Options}
 * @throws {TypeError | RangeError}
 */
function readOptions (given) {
  if (given === undefined || given === null) given = {}
  if (typeof given !== 'object') throw invalidType('options', 'an object', given)
  const { host, register, collectDefaults, metricName, prefix } = given
  const options = {
    port: readPort(given.port),
    host: optional('host', host, 'localhost', isFilledString, 'a host name or address'),
    register: readRegister(register),
    collectDefaults: optional('collectDefaults', collectDefaults, true, isBoolean, 'a boolean'),
    startAtZero: optional('startAtZero', given.startAtZero, true, isBoolean, 'a boolean'),
    allowedProps: readStrings('allowedProps', given.allowedProps),
    metricName: readName('metricName', metricName, 'trace_counter'),
    defaultLabels: readLabels(given.defaultLabels),
    prefix: prefix === '' ? '' : readName('prefix', prefix, ''),
    omitLabels: readStrings('omitLabels', given.omitLabels),
    maxSeries: readWhole('maxSeries', given.maxSeries, 50_000, 1, 100_000_000),
    seriesIdleTimeout: readWhole('seriesIdleTimeout', given.seriesIdleTimeout, 0, 0, 2 ** 31 - 1),
    maxLabelValueLength: readWhole('maxLabelValueLength', given.maxLabelValueLength, 1024, 1, 65_535),
    auth: readAuth(given.auth),
    tls: readTls(given.tls),
    allowedHosts: readAllowedHosts(given.allowedHosts)
  }
  for (const label of options.omitLabels) {
    if (!RESERVED_LABELS.includes(label)) {
      throw invalidValue('omitLabels', `an array of any of ${RESERVED_LABELS.join(', ')}`, label)
    }
  }
  return options
}

const isBoolean = (value) => typeof value === 'boolean'
const isFilledString = (value) => typeof value === 'string' && value !== ''

function optional (name, value, fallback, isValid, expected) {
  if (value === undefined || value === null) return fallback
  if (!isValid(value)) throw invalidType(name, expected, value)
  return value
}

/** A number, or its digits as an environment variable has them, which Node's `listen` takes too. */
function readPort (port) {
  if (port === undefined || port === null || port === false) return null
  const number = typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port
  if (typeof number !== 'number') throw invalidType('port', 'a number', port)
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw outOfRange('port', '>= 0 and < 65536', port, 'ERR_SOCKET_BAD_PORT')
  }
  return number
}

function readWhole (name, value, fallback, least, most) {
  if (value === undefined || value === null) return fallback
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, `a whole number >= ${least} and <= ${most}`, value)
  }
  return value
}

function readStrings (name, value) {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalidType(name, 'an array of strings', value)
  for (const item of value) {
    if (typeof item !== 'string') throw invalidType(name, 'an array of strings', item)
  }
  return [...value]
}

function readName (name, value, fallback) {
  if (value === undefined || value === null) return fallback
  if (typeof value !== 'string') throw invalidType(name, 'a string', value)
  if (!METRIC_NAME.test(value)) {
    throw invalidValue(name, 'made of letters, digits, _ and :, not led by a digit', value)
  }
  return value
}

/** @returns {[string, string][]} */
function readLabels (value) {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalidType('defaultLabels', 'an object of label names and values', value)
  }
  return Object.entries(value).map(([name, labelValue]) => {
    if (!LABEL_NAME.test(name) || name.startsWith('__')) {
      throw invalidValue('defaultLabels', 'an object whose names are made of letters, digits and _, not led by a digit or __', name)
    }
    if (RESERVED_LABELS.includes(name) || PROPS_LABEL.test(name) || name === 'hypertrace_overflow') {
      throw invalidValue('defaultLabels', 'an object without the names that the trace counter sets itself', name)
    }
    if (typeof labelValue !== 'string' && typeof labelValue !== 'number') {
      throw invalidType(`defaultLabels.${name}`, 'a string or a number', labelValue)
    }
    return [name, String(labelValue)]
  })
}

function readRegister (register) {
  if (register === undefined || register === null) return null
  for (const method of ['registerMetric', 'getSingleMetric', 'removeSingleMetric', 'metrics']) {
    if (typeof register[method] !== 'function') {
      throw invalidType('register', `a prom-client style registry (it has no ${method}())`, register)
    }
  }
  return register
}

/**
 * What threads that share a port must have the same: names and values, as text to be compared.
 *
 * @param {Options} options
 * @returns {[string, string][]}
 */
function sharedOptions (options) {
  return SHARED_OPTIONS.map((name) => {
    const value = options[name]
    return [name, JSON.stringify(IN_ANY_ORDER.includes(name) ? [...value].sort() : value)]
  })
}

/**
 * The option that keeps a thread from joining another, and what it would have to be.
 *
 * @param {Options} options
 * @returns {{ option: string, expected: string } | null}
 */
function joinBlocker ({ register, collectDefaults, defaultLabels }) {
  if (register !== null) return { option: 'register', expected: 'left out' }
  // Of two threads the samples of one would have the other's labels.
  if (collectDefaults && defaultLabels.some(([name]) => name === 'worker')) {
    return { option: 'defaultLabels', expected: 'without "worker", which tells threads apart,' }
  }
  return null
}

module.exports = { joinBlocker, readOptions, sharedOptions }
