'use strict'

const test = require('node:test')
const assert = require('node:assert/strict')
const { Registry, collectDefaultMetrics } = require('prom-client')
const { defaultFamilies, assertDefaultFamilies } = require('./support/default-metrics')

const SAMPLE = /^nodejs_active_resources_total (\d+)$/m

/** @param {object} [config] */
async function page (config) {
  const register = new Registry()
  collectDefaultMetrics({ register, ...config })
  await register.metrics() // the first page lacks the delay of the event loop
  return register.metrics()
}

test('prom-client declares the 31 families that this package promises', async () => {
  const families = await defaultFamilies()
  assert.equal(families.size, process.platform === 'linux' ? 31 : 27)
  assert.equal(families.get('nodejs_eventloop_lag_max_seconds').aggregator, 'max')
  assert.deepEqual(families.get('nodejs_gc_duration_seconds').labelNames, ['kind'])
  assert.deepEqual(families.get('nodejs_version_info').labelNames, ['major', 'minor', 'patch', 'version'])
})

test('the comparison accepts the pages of prom-client', async () => {
  await assertDefaultFamilies(await page())
  await assertDefaultFamilies(await page({ prefix: 'app_', labels: { app: 'a' } }), { prefix: 'app_', labelNames: ['app'] })
})

test('the comparison finds every difference', async () => {
  const good = await page()
  const changed = {
    'a help text': good.replace('Total number of active resources.', 'Total number of active resources'),
    'a type': good.replace('nodejs_active_resources_total gauge', 'nodejs_active_resources_total counter'),
    'an additional label': good.replace(SAMPLE, 'nodejs_active_resources_total{x="1"} $1'),
    'a missing label': good.replace(/,patch="\d+"/, ''),
    'a missing family': good.replace(/^.*nodejs_active_resources_total .*\n/gm, ''),
    'an additional family': good + '# HELP nodejs_x x\n# TYPE nodejs_x gauge\n',
    'another order': good.replace(/^([^]*)(# HELP nodejs_version_info [^]*\n\n)([^]*)$/, '$2$1$3')
  }
  for (const [what, text] of Object.entries(changed)) {
    assert.notEqual(text, good, what)
    await assert.rejects(assertDefaultFamilies(text), assert.AssertionError, what)
  }
})
