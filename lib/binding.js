'use strict'

/*
 * The addon, loaded once, and the values that Rust defines for both languages.
 */

const { Exporter, SeriesReading } = require('./load-binding')()

module.exports = { Exporter, SeriesReading, constants: Exporter.constants() }
