'use strict'

/**
 * The version of these JavaScript files. The addon has to be of the same one. A test compares it with those of
 * package.json and Cargo.toml.
 */
module.exports = '2.0.0'
