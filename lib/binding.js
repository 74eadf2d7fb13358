'use strict'

/*
 * The addon, and the values that Rust defines for both languages. The entry of a runtime (`lib/node.js`,
 * `lib/bare.js`) loads the addon and stores it here before it loads any module that reads it.
 */

const version = require('./version')

/**
 * @typedef {typeof import('../binding')} Addon
 *
 * @typedef {object} Binding
 * @property {Addon['Exporter']} Exporter
 * @property {Addon['SeriesReading']} SeriesReading
 * @property {import('../binding').Constants} constants
 * @property {typeof setAddon} setAddon
 */

/** @type {Binding} */
const binding = /** @type {any} */ ({ setAddon })

/**
 * Stores the addon. Throws for an addon of another version, which could lack a method or read an argument in
 * another way, so that calls would not be counted.
 *
 * @param {Addon} addon
 * @param {string} name of the binary
 * @param {string[]} remedies the lines of the error message that say what to do
 * @returns {Addon}
 * @throws {Error} `ERR_BINARY_VERSION`
 */
function setAddon (addon, name, remedies) {
  if (addon.VERSION !== version) throw wrongVersion(addon.VERSION, name, remedies)
  binding.Exporter = addon.Exporter
  binding.SeriesReading = addon.SeriesReading
  binding.constants = addon.Exporter.constants()
  return addon
}

/**
 * @param {unknown} found the version of the binary; `undefined` if the binary does not export it
 * @param {string} name
 * @param {string[]} remedies
 */
function wrongVersion (found, name, remedies) {
  const message = [
    `hypertrace-prometheus ${version} cannot use a binary of ${found === undefined ? 'an older version' : `version ${found}`}: ${name}. This helps:`,
    ...remedies
  ].join('\n')
  return Object.assign(new Error(message), { code: 'ERR_BINARY_VERSION', expected: version, found })
}

module.exports = binding
