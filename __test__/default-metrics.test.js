'use strict'

const test = require('node:test')
const HypertracePrometheus = require('..')
const { assertDefaultFamilies } = require('./support/default-metrics')

test('the page has all default families of prom-client, with the same declarations', async (t) => {
  const trace = HypertracePrometheus()
  t.after(() => trace.stop())
  await assertDefaultFamilies(await trace.metrics())
})

test('a prefix and default labels apply to every default family', async (t) => {
  const trace = HypertracePrometheus({ prefix: 'app_', defaultLabels: { region: 'north' } })
  t.after(() => trace.stop())
  await assertDefaultFamilies(await trace.metrics(), { prefix: 'app_', labelNames: ['region'] })
})

test('the page over HTTP has the default families', async (t) => {
  const trace = HypertracePrometheus({ port: 0 })
  t.after(() => trace.stop())
  const response = await fetch(`http://localhost:${trace.address().port}/metrics`)
  await assertDefaultFamilies(await response.text())
})
