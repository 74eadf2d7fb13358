'use strict'

/*
 * Starts the two implementations that tests compare, isolated from other tests.
 */

const { createRequire } = require('node:module')

const requireFromReference = createRequire(require.resolve('hypertrace-prometheus-reference'))

/** The copy of prom-client that the reference uses. */
const referencePromClient = requireFromReference('prom-client')

/**
 * Clears prom-client's global register first: the reference always registers its counter there, and a second one throws.
 * @param {object} [options]
 */
function startReference (options = {}) {
  referencePromClient.register.clear()
  return require('hypertrace-prometheus-reference')({ collectDefaults: false, ...options })
}

/**
 * @param {object} [options]
 */
function startOurs (options = {}) {
  return require('../..')({ collectDefaults: false, ...options })
}

module.exports = { startReference, startOurs }
