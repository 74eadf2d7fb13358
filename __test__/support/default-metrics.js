'use strict'

/**
 * Compares the default metrics with those of prom-client: names, order, help texts, types, aggregators
 * and label names, as its metric objects declare them at run time.
 */

const assert = require('node:assert/strict')
const { Registry, collectDefaultMetrics } = require('prom-client')
const { parse, shape } = require('./exposition')

/** @typedef {{ help: string, type: string, aggregator: string, labelNames: string[] }} Declared */

/** @type {Map<string, Declared> | undefined} */
let declared

/**
 * Returns the declarations of prom-client. They are collected only once, because prom-client's observers cannot be stopped.
 *
 * @returns {Promise<Map<string, Declared>>} by name, in its order
 */
async function defaultFamilies () {
  if (declared) return declared
  const register = new Registry()
  collectDefaultMetrics({ register })
  const families = new Map()
  for (const { name, help, type, aggregator } of await register.getMetricsAsJSON()) {
    const { labelNames } = /** @type {any} */ (register.getSingleMetric(name))
    families.set(name, { help, type, aggregator, labelNames: [...labelNames].sort() })
  }
  declared = families
  return families
}

/**
 * Asserts that the page has every default family of prom-client, in the same order and with the same
 * declaration, and no other process_ or nodejs_ family.
 *
 * @param {string | Uint8Array} page
 * @param {{ prefix?: string, labelNames?: string[] }} [opts] the options of the exporter
 */
async function assertDefaultFamilies (page, { prefix = '', labelNames = [] } = {}) {
  const oracle = await defaultFamilies()
  const ours = [...parse(page).values()].filter(({ name }) => {
    return name.startsWith(prefix + 'process_') || name.startsWith(prefix + 'nodejs_')
  })
  assert.deepEqual(ours.map(({ name }) => name), [...oracle.keys()].map((name) => prefix + name))

  for (const family of ours) {
    const { help, type, labelNames: own } = /** @type {Declared} */ (oracle.get(family.name.slice(prefix.length)))
    const { help: ourHelp, type: ourType } = family
    assert.deepEqual({ help: ourHelp, type: ourType }, { help, type }, family.name)

    const expected = [...new Set([...own, ...labelNames])].sort()
    for (const sample of family.samples) {
      assert.deepEqual(shape({ ...family, samples: [sample] }).labelNames, expected, family.name)
    }
  }
}

module.exports = { defaultFamilies, assertDefaultFamilies }
