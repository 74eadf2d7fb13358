'use strict'

/*
 * Prepares names and lines for a terminal: escapes unsafe characters, measures the width in columns, breaks lines, and
 * replaces characters in a terminal without Unicode. Pure.
 */

/** The maximum length of a shown name, in UTF-16 code units. */
const MAX_LENGTH = 200

// Characters that control a terminal, are invisible, or reorder the characters around them. Letters that are written from
// right to left are among them: a terminal with bidirectional text would exchange them with the figures of their line.
const UNSAFE = new RegExp([
  '[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Co}\\p{Cn}\\p{Default_Ignorable_Code_Point}',
  '\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]'
].join(''), 'gu')
const ESCAPES = new Map([['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']])

// A third mark on a letter would reach into the lines above and below.
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu
const MARK = /[\p{Mn}\p{Me}]/u
const WIDE = new RegExp([
  '[\\p{Emoji_Presentation}\\p{Script=Han}\\p{Script=Hangul}\\p{Script=Hiragana}\\p{Script=Katakana}',
  '\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6',
  '\\u{16fe0}-\\u{1b2ff}\\u{1f000}-\\u{1faff}\\u{20000}-\\u{3fffd}]'
].join(''), 'u')
const HALF_WIDE = /[\uff61-\uffdc]/

/** Replacements for the characters of the screen in a terminal without Unicode. Each has one column. */
const ASCII = new Map([
  ['·', '-'], ['–', '-'], ['…', '~'], ['→', '>'],
  ['▁', '_'], ['▂', '.'], ['▃', ':'], ['▄', '-'], ['▅', '='], ['▆', '+'], ['▇', '*'], ['█', '#']
])

/**
 * Returns a text of any content on one line, with unsafe characters escaped as in JavaScript.
 *
 * @param {string} text
 * @param {number} [maxLength]
 */
function printable (text, maxLength = MAX_LENGTH) {
  const shown = text.length > maxLength ? text.slice(0, maxLength - 1) : text
  const plain = shown
    .replace(UNSAFE, (char) => ESCAPES.get(char) ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(STACKED_MARKS, '$1')
  return shown === text ? plain : plain + '…'
}

/** @param {string} char one character */
function charWidth (char) {
  if (char < '\u0300') return 1
  if (MARK.test(char)) return 0
  return WIDE.test(char) && !HALF_WIDE.test(char) ? 2 : 1
}

/**
 * Returns the number of columns of a printable text. An emoji may take fewer in some terminals.
 *
 * @param {string} text
 */
function widthOf (text) {
  let width = 0
  for (const char of text) width += charWidth(char)
  return width
}

/**
 * Returns a printable text cut to a number of columns, with `…` at its end if it is cut.
 *
 * @param {string} text
 * @param {number} columns
 */
function cut (text, columns) {
  if (widthOf(text) <= columns) return text
  if (columns < 1) return ''
  let width = 0
  let shown = ''
  for (const char of text) {
    width += charWidth(char)
    if (width > columns - 1) break
    shown += char
  }
  return shown + '…'
}

/**
 * Returns the lines of a printable text, broken at spaces. There are at most `most` lines, the last of which has the rest.
 *
 * @param {string} text
 * @param {number} columns
 * @param {number} [most]
 */
function wrap (text, columns, most = 4) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]
    if (last === '' || lines.length === most || widthOf(last) + 1 + widthOf(word) <= columns) lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/**
 * Returns a text for a terminal that shows only ASCII.
 *
 * @param {string} text
 */
function toAscii (text) {
  return text.replace(/[^\x20-\x7e]/gu, (char) => ASCII.get(char) ?? '?')
}

module.exports = { cut, printable, toAscii, widthOf, wrap }
