'use strict'

/*
 * Packing of label values into one string, so that one string crosses into Rust and different lists are
 * different strings: each value ends with a separator, and a separator in a value is escaped.
 * `src/binding/packing.rs` unpacks them.
 */

const SEPARATOR = '\x1f'
const ESCAPE = '\x1e'

/**
 * @param {string[]} values
 * @returns {string}
 */
function pack (values) {
  let packed = ''
  for (const value of values) packed += value === '' ? SEPARATOR : escape(value) + SEPARATOR
  return packed
}

/** @param {string} value */
function escape (value) {
  if (!value.includes(SEPARATOR) && !value.includes(ESCAPE)) return value
  return value.replaceAll(ESCAPE, ESCAPE + '0').replaceAll(SEPARATOR, ESCAPE + '1')
}

module.exports = pack
