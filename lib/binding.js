'use strict'

/*
 * The addon, loaded once, and the values that Rust defines for both languages.
 */

const { Exporter } = require('./load-binding')()

module.exports = { Exporter, constants: Exporter.constants() }
