'use strict'

/*
 * Every way in which our counter may differ from the reference's, in one place. All functions are pure. Whatever these rules
 * do not cover has to be equal: the same label sets with the same counts.
 */

const { isUtf8 } = require('node:buffer')
const { parse, seriesKey } = require('./exposition')

const COUNTER = 'trace_counter'
const NEEDS_ESCAPE = /["\\\n]/

/** The longest label value taken when `maxLabelValueLength` is left out, in UTF-16 units. */
const DEFAULT_LIMIT = 1024

/**
 * What the reference has to be given for its label to be the one that ours has.
 * @param {unknown} value
 */
function valueForReference (value) {
  // Rule 1: a Buffer that is not UTF-8 (a key, a hash) is written as hex. The reference writes U+FFFD in place of its bytes, so
  // that different keys look alike.
  if (Buffer.isBuffer(value) && !isUtf8(value)) return value.toString('hex')

  // Rule 2: every value is escaped. The reference escapes strings only: an array that holds a quote breaks its whole page.
  if (typeof value !== 'string' && typeof value !== 'symbol') {
    const text = `${value}`
    if (NEEDS_ESCAPE.test(text)) return text
  }

  return value
}

/**
 * The same payload with `valueForReference` applied to everything that becomes a label.
 * Throws where the reference would. (Rule 3: ours does not throw, whatever the value; callers feed such payloads to ours alone.)
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
 * The reference's page as ours has to be: from the text of a page to counts by label set.
 * @param {string} page
 * @param {number} [limit] `maxLabelValueLength`
 * @returns {Map<string, number>}
 */
function normalise (page, limit = DEFAULT_LIMIT) {
  // Rule 4: a lone surrogate is U+FFFD. UTF-8 has no form for it; an HTTP server of Node's writes the same.
  const family = parse(page.toWellFormed(), { allowDuplicates: true }).get(COUNTER)
  const counts = new Map()

  for (const { labels, value } of family.samples) {
    // Rule 5: a value over the limit is cut, and the cut marked, so that it is as long as the limit.
    for (const name of Object.keys(labels)) labels[name] = cut(labels[name], limit)

    // Rule 6: an empty value is the same as no label (`seriesKey` leaves it out). The reference prints such a pair as two series,
    // of which Prometheus drops one; ours is one series, so their counts are added. The same goes for label sets that only
    // rules 1, 4 and 5 have made equal, and for `undefined` beside the string "undefined", which the reference prints alike.
    const key = seriesKey({ name: COUNTER, labels })
    counts.set(key, (counts.get(key) ?? 0) + value)
  }
  return counts
}

/**
 * The first characters of a long value and `…`, no longer than the limit. A character outside the BMP is not cut in half.
 * @param {string} value
 * @param {number} limit in UTF-16 units
 */
function cut (value, limit) {
  if (value.length <= limit) return value
  const head = value.slice(0, limit - 1)
  return (/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head) + '…'
}

/**
 * Our page as counts by label set. Nothing is normalised: the page has to be valid and without duplicates as it is.
 * @param {string | Uint8Array} page
 * @returns {Map<string, number>}
 */
function countsOf (page) {
  const { samples } = parse(page).get(COUNTER)
  return new Map(samples.map((sample) => [seriesKey(sample), sample.value]))
}

/**
 * The lines in which two pages differ, at most a few.
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
