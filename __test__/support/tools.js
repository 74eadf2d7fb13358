'use strict'

/*
 * External programs in tests: the `skip` option of a test that needs one, and its command.
 */

const { commandOf, howToGet, isInstalled, isRequired } = require('../../scripts/tools')

/**
 * The `skip` option of a test that needs a program: `test('…', { skip: lacks('prometheus') }, …)`.
 * Throws if the program is missing and CI_REQUIRE names it.
 *
 * @param {string} name
 * @returns {string | false}
 */
function lacks (name) {
  if (isInstalled(name)) return false
  if (isRequired(name)) throw new Error(`CI_REQUIRE names a missing program: ${howToGet(name)}`)
  return howToGet(name)
}

module.exports = { commandOf, lacks }
