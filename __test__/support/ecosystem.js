'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const { FOLDER } = require('../../scripts/ecosystem')

/**
 * Loads a package that `node scripts/ecosystem.js` installs. A test that uses it is skipped if
 * `lacks('ecosystem')` of tools.js says so.
 *
 * @type {NodeRequire}
 */
const requirePackage = createRequire(path.join(FOLDER, 'package.json'))

/** The environment of a program that requires such packages. */
const environment = { NODE_PATH: path.join(FOLDER, 'node_modules') }

module.exports = { environment, requirePackage }
