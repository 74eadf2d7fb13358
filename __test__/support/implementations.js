'use strict'

/*
 * The two implementations under comparison, and how to start each of them so that tests cannot disturb one another.
 */

const { createRequire } = require('node:module')

const requireFromReference = createRequire(require.resolve('hypertrace-prometheus-reference'))

/** The prom-client that the reference itself uses, whichever copies are installed. */
const referencePromClient = requireFromReference('prom-client')

/**
 * The reference puts its counter into prom-client's global register whatever it is given, and a second one throws.
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
