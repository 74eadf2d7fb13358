'use strict'

/*
 * Reads the page with a real Prometheus, with promtool and with the Python client's parser.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')

const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const EXAMPLE = path.join(__dirname, '..', 'examples', 'hypercore.js')
const APP = path.join(__dirname, 'prometheus', 'app.js')
const BLOCK_MS = 5000

/** Starts the hypercore example and resolves when its server is open. */
async function startExample (t, seconds) {
  const example = startProgram(t, EXAMPLE, ['--port', '0', '--for', String(seconds), '--linger', '60'])
  const [, port] = await example.line(/^Metrics: http:\/\/localhost:(\d+)\/metrics$/)
  return { example, port: Number(port) }
}

test('a real Prometheus scrapes the example', { skip: lacks('prometheus'), timeout: 90_000 }, async (t) => {
  const { example, port } = await startExample(t, 4)
  const app = startProgram(t, APP)
  const [, appPort] = await app.line(/^port (\d+)$/)
  const prometheus = await startPrometheus(t, {
    example: { target: `localhost:${port}` },
    app: { target: `127.0.0.1:${appPort}` }
  })

  await t.test('the hypercore example is UP, and the sum over its series is the number of traces made', async (t) => {
    await prometheus.up('example')
    const [, made] = await example.line(/^Traces made: (\d+)$/)
    assert.ok(Number(made) > 100, `${made} traces`)
    await until(async () => await prometheus.value('sum(trace_counter{job="example"})') === Number(made),
      `Prometheus has ${made} traces`)
    const series = await prometheus.value('count(trace_counter{job="example"})')
    t.diagnostic(`${made} traces in ${series} series`)
    assert.equal((await prometheus.target('example')).lastError, '')
  })

  await prometheus.up('app')
  const since = Date.now() / 1000
  // Checks that every scrape since then succeeded, and that no series was missing or stale at any time.
  const assertNoGap = async () => {
    const range = `start=${since}&end=${Date.now() / 1000}&step=0.2`
    const steps = Math.floor((Date.now() / 1000 - since) / 0.2)
    for (const [expression, expected] of [['min(up{job="app"})', '1'], ['count(trace_counter{job="app"})', '20']]) {
      const { result: [{ values }] } = await prometheus.api(`query_range?query=${encodeURIComponent(expression)}&${range}`)
      assert.deepEqual(values.filter(([, value]) => value !== expected), [], expression)
      assert.ok(values.length >= steps, `${expression} is missing at ${steps - values.length} of ${steps} steps`)
    }
  }

  await t.test('case 39: the application stays UP while the event loop is blocked for five seconds', async (t) => {
    app.say(`block ${BLOCK_MS}`)
    await app.line(/^blocked$/)
    const [, counted] = await app.line(/^unblocked (\d+)$/)
    assert.equal((await prometheus.target('app')).health, 'up')
    const lag = await prometheus.value('max_over_time(nodejs_eventloop_lag_seconds{job="app"}[10s])')
    t.diagnostic(`the longest lag that was scraped: ${lag} s`)
    assert.ok(lag > 2, `the lag shows the block while it lasts: ${lag} s`)
    await until(async () => await prometheus.value('sum(trace_counter{job="app"})') === Number(counted),
      'the calls made at the end of the block are there')
    await assertNoGap()
  })

  await t.test('case 38: a stop and restart on the same port leaves no gap', async () => {
    // Begins just after a scrape: the next one is a second later.
    const { lastScrape } = await prometheus.target('app')
    await until(async () => (await prometheus.target('app')).lastScrape !== lastScrape, 'the next scrape')
    app.say('restart')
    const [, counted] = await app.line(/^restarted (\d+)$/)
    await until(async () => await prometheus.value('sum(trace_counter{job="app"})') === Number(counted),
      'the counts of the new exporter are there')
    assert.equal((await prometheus.target('app')).health, 'up')
    assert.equal(await prometheus.value('sum(resets(trace_counter{job="app"}[20s]))'), 20)
    await assertNoGap()
  })
})

test('Prometheus 3 scrapes the example too', { skip: lacks('prometheus3'), timeout: 60_000 }, async (t) => {
  const app = startProgram(t, APP)
  const [, port] = await app.line(/^port (\d+)$/)
  const prometheus = await startPrometheus(t, { app: { target: `127.0.0.1:${port}` } }, { program: 'prometheus3' })
  await prometheus.up('app')
  await until(async () => await prometheus.value('sum(trace_counter{job="app"})') === 20, 'Prometheus has the 20 calls')
  assert.match((await prometheus.api('status/buildinfo')).version, /^3\./)
  assert.equal((await prometheus.target('app')).lastError, '')
})

// Names from version 1.0.0 and from prom-client, which dashboards use.
const LINT = [
  'nodejs_active_handles_total non-counter metrics should not have "_total" suffix',
  'nodejs_active_requests_total non-counter metrics should not have "_total" suffix',
  'nodejs_active_resources_total non-counter metrics should not have "_total" suffix',
  'trace_counter counter metrics should have "_total" suffix',
  "trace_counter metric name should not include type 'counter'"
]

test('promtool accepts the page of the example except for names that prom-client has too', { skip: lacks('promtool'), timeout: 60_000 }, async (t) => {
  const { body } = await examplePage(t)
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
  t.diagnostic(`exit code ${status}`)
  const findings = (stdout + stderr).split('\n').filter((line) => line !== '')
  assert.deepEqual(findings.filter((line) => !LINT.includes(line)), [])
  assert.equal(status, 3, '3: promtool reports the names; 1 would mean that it cannot parse the page')
})

const PYTHON = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
sys.stdin.reconfigure(encoding='utf-8', newline='\\n')
samples = [s for family in parse(sys.stdin.read()) for s in family.samples]
print(json.dumps([[s.name, s.labels, repr(float(s.value))] for s in samples]))
`

test('Python\'s prometheus-client parses the same samples as this project\'s parser', { skip: lacks('prometheus-client'), timeout: 60_000 }, async (t) => {
  const { body } = await examplePage(t)
  const { status, stdout, stderr } = spawnSync('python3', ['-c', PYTHON], { input: body, encoding: 'utf8', maxBuffer: 2 ** 26 })
  assert.equal(status, 0, stderr)
  const theirs = JSON.parse(stdout).map(([name, labels, value]) => [name, labels, Number(value.replace('inf', 'Infinity'))])
  // The Python parser adds the suffix of OpenMetrics to the names of counters.
  const nameIn = (type, name) => type === 'counter' && !name.endsWith('_total') ? name + '_total' : name
  const ours = [...parse(body).values()].flatMap(({ type, samples }) =>
    samples.map(({ name, labels, value }) => [nameIn(type, name), { ...labels }, value]))
  assert.ok(ours.length > 60, `${ours.length} samples`)
  assert.deepEqual(theirs, ours)
})

async function examplePage (t) {
  const { example, port } = await startExample(t, 1)
  await example.line(/^Traces made: /)
  return get({ port })
}
