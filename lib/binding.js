'use strict'

/*
 * The addon, and the values that Rust defines for both languages. The entry of a runtime (`lib/node.js`,
 * `lib/bare.js`) loads the addon and stores it here before it loads any module that reads it.
 */

const { wrongVersion } = require('./errors')
const version = require('./version')

/**
 * @typedef {typeof import('../binding')} Addon
 *
 * @typedef {object} Binding
 * @property {Addon['Exporter']} Exporter
 * @property {import('../binding').Constants} constants
 * @property {typeof setAddon} setAddon
 */

/** @type {Binding} */
const binding = /** @type {any} */ ({ setAddon })

/**
 * Stores the addon. One of another version could lack a method, or read an argument in another way, so that
 * calls would not be counted.
 *
 * @param {Addon} addon
 * @param {string} name of the binary
 * @param {string[]} remedies for a binary of another version, one a line
 * @returns {Addon}
 * @throws {Error} `ERR_BINARY_VERSION`
 */
function setAddon (addon, name, remedies) {
  if (addon.VERSION !== version) throw wrongVersion(version, addon.VERSION, name, remedies)
  binding.Exporter = addon.Exporter
  binding.constants = addon.Exporter.constants()
  return addon
}

module.exports = binding
