'use strict'

/*
 * The entry for Node.js, Bun and Deno.
 *
 * `load-binding` loads the addon before `index` needs the addon. A module does this, not a statement of this file,
 * because a bundler may move each `require` before all other statements.
 */

require('./load-binding')

module.exports = require('../index')
