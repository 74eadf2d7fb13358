'use strict'

/*
 * The two implementations under comparison, and how to start each of them so that tests cannot disturb one another.
 */

const { createRequire } = require('node:module')

const requireFromReference = createRequire(require.resolve('hypertrace-prometheus-reference'))

/** The prom-client that the reference itself uses, whichever copies are installed. */
const referencePromClient = requireFromReference('prom-client')

/** SUBJECT names another module to run these tests against; the reference itself, for a check of the tests. */
const subject = require(process.env.SUBJECT || '../..')

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
  if (process.env.SUBJECT) referencePromClient.register.clear()
  return subject({ collectDefaults: false, ...options })
}

module.exports = { startReference, startOurs, referencePromClient }
