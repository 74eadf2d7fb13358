'use strict'

/*
 * Converts any JavaScript value to the text of a label, and never throws. The text is never longer than the
 * limit, and never keeps a larger string alive. Runs for new label sets, and for property values that are
 * objects.
 */

const ELLIPSIS = '…'
const UNPRINTABLE = '[unprintable]'

/**
 * Returns the text of a value: `String(value)`, if possible.
 *
 * @param {unknown} value
 * @param {number} max the maximum length in UTF-16 units; a longer text is cut and ends in `…`
 * @returns {string}
 */
function text (value, max) {
  if (typeof value === 'string') return cut(wellFormed(value), max)
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
    return cut(String(value), max)
  }
  try {
    return cut(wellFormed(objectText(value, max)), max)
  } catch {
    return tagText(value, max)
  }
}

/**
 * Replaces lone surrogates by U+FFFD, as the conversion to UTF-8 does.
 *
 * @param {string} string
 */
function wellFormed (string) {
  const unicode = /** @type {string & { isWellFormed: () => boolean, toWellFormed: () => string }} */ (string)
  return unicode.isWellFormed() ? string : unicode.toWellFormed()
}

/**
 * Falls back to `[object Kind]` if `toString` throws or is missing.
 *
 * @param {unknown} value
 * @param {number} max
 */
function tagText (value, max) {
  try {
    return cut(Object.prototype.toString.call(value), max)
  } catch {
    return cut(UNPRINTABLE, max)
  }
}

/**
 * Converts only as many elements as fit into `max`.
 *
 * @param {unknown} value
 * @param {number} max
 */
function objectText (value, max) {
  if (isBuffer(value)) return bufferText(value, max)
  if (Array.isArray(value) && value.length > max) return String(value.slice(0, max + 2))
  if (value instanceof Uint8Array && value.length > max) return String(value.subarray(0, max + 1))
  return String(value)
}

/**
 * Recognises Buffers of Node.js and of similar runtimes. The Buffer of Bare is not a global.
 *
 * @param {unknown} value
 * @returns {value is Buffer}
 */
function isBuffer (value) {
  if (!(value instanceof Uint8Array)) return false
  const { constructor } = value
  return constructor !== Uint8Array && 'isBuffer' in constructor
}

/**
 * Converts a Buffer with text to that text, and any other Buffer (a key, a hash) to hex. If keys were decoded
 * as text, many different keys would become the same replacement characters, and so one series.
 *
 * @param {Buffer} buffer
 * @param {number} max
 */
function bufferText (buffer, max) {
  const head = buffer.length > max * 4 ? buffer.subarray(0, characterEnd(buffer, max * 4)) : buffer
  const string = head.toString()
  return isFaithful(string, head) ? string : head.subarray(0, max).toString('hex')
}

/**
 * Returns the last position up to `end` at which a UTF-8 character ends.
 *
 * @param {Buffer} buffer
 * @param {number} end
 */
function characterEnd (buffer, end) {
  let at = end
  while (at > end - 4 && (buffer[at] & 0xc0) === 0x80) at--
  return at
}

/**
 * Returns whether decoding replaced nothing: the bytes contain each U+FFFD of the string.
 *
 * @param {string} string
 * @param {Buffer} bytes
 */
function isFaithful (string, bytes) {
  if (!string.includes('\ufffd')) return true
  return string.split('\ufffd').length === bytes.toString('latin1').split('\xef\xbf\xbd').length
}

/**
 * @param {string} string
 * @param {number} max
 */
function cut (string, max) {
  if (string.length <= max) return string
  const last = string.charCodeAt(max - 2)
  const end = last >= 0xd800 && last < 0xdc00 ? max - 2 : max - 1
  return own(string.slice(0, end)) + ELLIPSIS
}

/**
 * Copies a string. In V8 a slice, or a match of a regular expression, points into the whole string, so a
 * cached file name would keep its stack trace alive. Comparing a slice also takes longer.
 *
 * @param {string} string
 * @returns {string}
 */
function own (string) {
  return string.length < 13 ? string : [string.slice(0, 1), string.slice(1)].join('')
}

/**
 * Returns the internalised string of the same text: V8 compares two internalised strings by their
 * addresses. Names of classes, and literals such as ids, are internalised already.
 *
 * @param {string} string
 * @returns {string}
 */
function internalised (string) {
  return Object.keys({ __proto__: null, [string]: 0 })[0]
}

module.exports = { internalised, own, text }
