'use strict'

/*
 * Packs label values into one string that crosses into Rust. Different lists become different strings: each
 * value ends with a separator, and a separator in a value is escaped.
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
