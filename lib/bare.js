'use strict'

/*
 * The entry for Bare. bare-pack follows each literal `require` and `require.addon`, and fails if a file is missing, also
 * inside `try`. So this module, and the modules that it requires, must not require a file that can be missing.
 */

const { setAddon } = require('./binding')

// The binary of the host in the folder `prebuilds` of this package. `addon` is a function of Bare only.
// @ts-expect-error
setAddon(require.addon('..', __filename), 'prebuilds', ['- Install the package again. Then make the bundle again, if you have one.'])

module.exports = require('../index')
