'use strict'

/*
 * Starts the reference and this package, whose pages tests compare.
 */

const { createRequire } = require('node:module')

const requireFromReference = createRequire(require.resolve('hypertrace-prometheus-reference'))

/** The copy of prom-client that the reference uses. */
const referencePromClient = requireFromReference('prom-client')

/**
 * Starts the reference. Before that, clears the global register of prom-client: the reference registers its counter there, and
 * prom-client throws if a counter of that name exists.
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
