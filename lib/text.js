'use strict'

/*
 * Any JavaScript value as the text of a label: never throws, never longer than asked, never keeps
 * a larger string alive. Runs on the JavaScript thread, for label sets not seen before and for
 * property values that are objects.
 */

const ELLIPSIS = '…'
const UNPRINTABLE = '[unprintable]'

/**
 * The text of a value, as `String(value)` has it where that is possible.
 *
 * @param {unknown} value
 * @param {number} max longest text, in UTF-16 units; a longer one is cut and ends in `…`
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

/** Half a character becomes U+FFFD, as where a string is written as UTF-8. */
function wellFormed (string) {
  return string.isWellFormed() ? string : string.toWellFormed()
}

/** What throws, or has no `toString`, is told by its kind: `[object Object]`. */
function tagText (value, max) {
  try {
    return cut(Object.prototype.toString.call(value), max)
  } catch {
    return cut(UNPRINTABLE, max)
  }
}

/** Of something long only as much is made into text as can be shown. */
function objectText (value, max) {
  if (isBuffer(value)) return bufferText(value, max)
  if (Array.isArray(value) && value.length > max) return String(value.slice(0, max + 2))
  if (value instanceof Uint8Array && value.length > max) return String(value.subarray(0, max + 1))
  return String(value)
}

/** Node's Buffer and those of its kin (Bare's has no global). */
function isBuffer (value) {
  if (!(value instanceof Uint8Array)) return false
  const { constructor } = value
  return constructor !== Uint8Array && 'isBuffer' in constructor
}

/**
 * A Buffer that is text is shown as that, any other (a key, a hash) in hex: its bytes read as text
 * would be the same replacement characters for many keys, and so one series.
 */
function bufferText (buffer, max) {
  const head = buffer.length > max * 4 ? buffer.subarray(0, characterEnd(buffer, max * 4)) : buffer
  const string = head.toString()
  return isFaithful(string, head) ? string : head.subarray(0, max).toString('hex')
}

/** The last place at or before `end` where a UTF-8 character ends. */
function characterEnd (buffer, end) {
  let at = end
  while (at > end - 4 && (buffer[at] & 0xc0) === 0x80) at--
  return at
}

/** Whether decoding replaced nothing: each U+FFFD of the string stands in the bytes too. */
function isFaithful (string, bytes) {
  if (!string.includes('\ufffd')) return true
  return string.split('\ufffd').length === bytes.toString('latin1').split('\xef\xbf\xbd').length
}

function cut (string, max) {
  if (string.length <= max) return string
  const last = string.charCodeAt(max - 2)
  const end = last >= 0xd800 && last < 0xdc00 ? max - 2 : max - 1
  return own(string.slice(0, end)) + ELLIPSIS
}

/**
 * The same string with memory of its own. V8 makes a slice of a string, and a match of a regular
 * expression, a pointer into the whole: a file name kept would keep its stack trace. Joined, as a slice
 * takes longer to be compared.
 *
 * @param {string} string
 * @returns {string}
 */
function own (string) {
  return string.length < 13 ? string : [string.slice(0, 1), string.slice(1)].join('')
}

module.exports = { text, own }
