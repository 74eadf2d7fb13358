'use strict'

/*
 * The entry for Node.js, Bun and Deno.
 *
 * The addon is loaded by a module of its own: a bundler may move each `require` before all other statements.
 */

require('./load-binding')

module.exports = require('../index')
