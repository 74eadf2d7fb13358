'use strict'

/**
 * The version of these JavaScript files, which the addon must have too. A test compares it with the versions in
 * package.json and Cargo.toml.
 */
module.exports = '2.0.0'
