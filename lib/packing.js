'use strict'

/*
 * Values packed into one string, so that one string crosses into Rust and no two lists become the
 * same: each is closed by a separator, and a separator within a value is escaped. `src/binding/packing.rs`
 * takes them apart.
 */

const SEPARATOR = '\x1f'
const ESCAPE = '\x1e'

/**
 * @param {string[]} strings
 * @returns {string}
 */
function pack (strings) {
  let packed = ''
  for (const string of strings) packed += string === '' ? SEPARATOR : escape(string) + SEPARATOR
  return packed
}

function escape (string) {
  if (!string.includes(SEPARATOR) && !string.includes(ESCAPE)) return string
  return string.replaceAll(ESCAPE, ESCAPE + '0').replaceAll(SEPARATOR, ESCAPE + '1')
}

module.exports = pack
