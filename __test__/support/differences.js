'use strict'

/*
 * Every allowed difference between our counter and the counter of the reference. All functions are pure. Apart from these rules both
 * must be equal: the same label sets with the same counts.
 */

const { isUtf8 } = require('node:buffer')
const { parse, seriesKey } = require('./exposition')

const COUNTER = 'trace_counter'
const NEEDS_ESCAPE = /["\\\n]/

/** The default of `maxLabelValueLength`, in UTF-16 units. */
const DEFAULT_LIMIT = 1024

/**
 * Returns a value for the reference in place of `value`. From it, the reference writes the label that this package writes from
 * `value`.
 * @param {unknown} value
 */
function valueForReference (value) {
  // Rule 1: a Buffer that is not UTF-8 (a key, a hash) is written as hex. The reference writes U+FFFD for the bytes of the
  // Buffer, so that different keys become equal.
  if (Buffer.isBuffer(value) && !isUtf8(value)) return value.toString('hex')

  // Rule 2: every value is escaped. The reference escapes strings only: an array that contains a quote makes its whole page invalid.
  if (typeof value !== 'string' && typeof value !== 'symbol') {
    const text = `${value}`
    if (NEEDS_ESCAPE.test(text)) return text
  }

  return value
}

/**
 * Returns the payload with `valueForReference` applied to each value that becomes a label. Throws if the reference throws. (Rule 3:
 * this package never throws; callers pass such payloads to this package only.)
 * @param {object} payload
 * @param {string[]} allowedProps
 */
function payloadForReference ({ id, object, parentObject, caller }, allowedProps) {
  const propsOf = (props) => {
    if (props === null || props === undefined) return props
    const copy = Object.create(null)
    for (const name of allowedProps) copy[name] = valueForReference(props[name])
    return copy
  }
  return {
    id: id && valueForReference(id),
    object: {
      className: valueForReference(object.className),
      id: valueForReference(object.id),
      props: propsOf(object.props)
    },
    parentObject: parentObject && {
      className: parentObject.className && valueForReference(parentObject.className),
      id: parentObject.id && valueForReference(parentObject.id),
      props: propsOf(parentObject.props)
    },
    caller: {
      functionName: valueForReference(caller.functionName),
      filename: valueForReference(caller.filename),
      props: propsOf(caller.props)
    }
  }
}

/**
 * Parses a page of the reference into the counts by label set that our page must have.
 * @param {string} page
 * @param {number} [limit] `maxLabelValueLength`
 * @returns {Map<string, number>}
 */
function normalise (page, limit = DEFAULT_LIMIT) {
  // Rule 4: a lone surrogate becomes U+FFFD. UTF-8 cannot encode it; an HTTP server of Node.js writes the same.
  const family = parse(page.toWellFormed(), { allowDuplicates: true }).get(COUNTER)
  const counts = new Map()

  for (const { labels, value } of family.samples) {
    // Rule 5: a value over the limit is truncated to the limit, including an ellipsis.
    for (const name of Object.keys(labels)) labels[name] = cut(labels[name], limit)

    // Rule 6: an empty value equals an absent label (`seriesKey` omits it). The reference writes two series in such a case, of
    // which Prometheus drops one; ours is one series with the sum. The same applies to label sets that rules 1, 4 and 5 make
    // equal, and to `undefined` and the string "undefined", which the reference writes in the same way.
    const key = seriesKey({ name: COUNTER, labels })
    counts.set(key, (counts.get(key) ?? 0) + value)
  }
  return counts
}

/**
 * Truncates a long value to the limit, including `…`. A surrogate pair is not split.
 * @param {string} value
 * @param {number} limit in UTF-16 units
 */
function cut (value, limit) {
  if (value.length <= limit) return value
  const head = value.slice(0, limit - 1)
  return (/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head) + '…'
}

/**
 * Parses our page into counts by label set, without normalisation: the page must be valid and without duplicates.
 * @param {string | Uint8Array} page
 * @returns {Map<string, number>}
 */
function countsOf (page) {
  const { samples } = parse(page).get(COUNTER)
  return new Map(samples.map((sample) => [seriesKey(sample), sample.value]))
}

/**
 * Describes the first differences of two pages.
 * @param {Map<string, number>} expected
 * @param {Map<string, number>} actual
 * @returns {string[]}
 */
function differences (expected, actual) {
  const short = (key) => key.length > 600 ? `${key.slice(0, 600)} (${key.length} characters)` : key
  const found = []
  for (const [key, count] of expected) {
    if (actual.get(key) !== count) found.push(`expected ${count}, got ${actual.get(key)}: ${short(key)}`)
  }
  for (const [key, count] of actual) {
    if (!expected.has(key)) found.push(`not expected, got ${count}: ${short(key)}`)
  }
  return found.slice(0, 6)
}

/** @param {Map<string, number>} counts */
function total (counts) {
  let sum = 0
  for (const count of counts.values()) sum += count
  return sum
}

module.exports = { COUNTER, DEFAULT_LIMIT, payloadForReference, normalise, cut, countsOf, differences, total }
