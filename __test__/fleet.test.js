'use strict'

// Tests the configurations of docs/fleet.md with real servers: an agent that sends to two receivers, of which one is down for
// a while; a server that sends the results of rules; and a server that federates these results. Checks the manifests with the
// schemas of the Prometheus Operator.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { pathToFileURL } = require('node:url')

const HypertracePrometheus = require('..')
const { environment, requirePackage } = require('./support/ecosystem')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startServer } = require('./support/prometheus-server')
const readme = require('./support/readme')
const { commandOf, lacks } = require('./support/tools')
const { until } = require('./support/until')
const { startVictoriaMetrics } = require('./support/victoria-metrics')

const RULES = fs.readFileSync(path.join(__dirname, '..', 'prometheus', 'recording.rules.yml'), 'utf8')
const RECEIVER = ['--web.enable-remote-write-receiver']
const GLOBAL = 'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n'

/** Starts an application that creates short-lived objects until `stop`. Each object makes three calls. */
function startApplication (t) {
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
  t.after(traceFunction.stop)
  const application = { target: `127.0.0.1:${traceFunction.address().port}`, calls: 0, stop: () => clearInterval(timer) }
  const timer = setInterval(() => {
    const id = application.calls / 3 + 1
    for (let call = 0; call < 3; call++) traceFunction(payload({ object: { id } }))
    application.calls += 3
  }, 50)
  t.after(application.stop)
  return application
}

/** Returns a configuration of the guide with other addresses, and with a scrape interval of one second. */
function configuration (name, addresses) {
  let text = readme.marked(`file ${name}`)
  for (const [address, by] of Object.entries(addresses)) {
    assert.ok(text.includes(address), address)
    text = text.replace(address, by)
  }
  return GLOBAL + text.replace('scrape_interval: 15s', 'scrape_interval: 1s')
}

test('fleet: an agent sends exact counts, also after the receiver was down', { skip: lacks('prometheus3') || lacks('victoria-metrics'), timeout: 120_000 }, async (t) => {
  const application = startApplication(t)
  const receiver = await startServer(t, GLOBAL, { options: RECEIVER })
  const other = await startVictoriaMetrics(t)
  const config = configuration('agent.yml', { 'localhost:4343': application.target, 'central.example:9090': receiver.host })
  await startServer(t, `${config}  - url: ${other.url}/api/v1/write\n`, { agent: true })

  await until(async () => await receiver.value('sum(trace_counter)') > 0, 'the first counts')
  const down = Date.now() / 1000
  await receiver.stop()
  await sleep(4000) // the time that the receiver is down
  await receiver.start()
  const up = Date.now() / 1000
  application.stop()
  await until(async () => await receiver.value('sum(trace_counter)') === application.calls, 'all counts', { limit: 60_000 })

  // Each series has a sample at 0, then its value: the difference is the number of calls.
  assert.equal(await receiver.value('sum(max_over_time(trace_counter[5m]) - min_over_time(trace_counter[5m]))'), application.calls)
  const { result: [{ values }] } = await receiver.api(`query?query=${encodeURIComponent('up[5m]')}`)
  const missed = values.filter(([time, value]) => time > down && time < up && value === '1').length
  assert.ok(missed >= Math.floor(up - down) - 1, `${missed} samples of ${up - down} s`)
  await until(async () => (await other.query('sum(trace_counter)'))[0]?.value === application.calls, 'all counts in VictoriaMetrics')
})

test('fleet: rules drop the object ids before the results of the rules are sent or federated', { skip: lacks('prometheus3'), timeout: 120_000 }, async (t) => {
  const application = startApplication(t)
  const receiver = await startServer(t, GLOBAL, { options: RECEIVER })
  const edge = await startServer(t, configuration('edge.yml', { 'localhost:4343': application.target, 'central.example:9090': receiver.host }), {
    files: { 'recording.rules.yml': RULES }
  })
  const federating = await startServer(t, configuration('global.yml', { 'edge.example:9090': edge.host }))
  for (const server of [receiver, federating]) {
    await until(async () => await server.value('sum(site:trace_counter:rate5m)') > 0, 'rates of call sites', { limit: 60_000 })
    const [{ metric }] = await server.query('site:trace_counter:rate5m')
    assert.equal(metric.object_classname, 'Thing')
    assert.equal(metric.job, 'my-application')
    const labels = await server.api('labels')
    assert.ok(labels.includes('caller_functionname') && !labels.includes('object_id'), labels.join())
    assert.deepEqual(await server.query('trace_counter'), [])
  }
  application.stop()
  for (const server of [edge, receiver, federating]) {
    await until(async () => await server.value('hypertrace_calls_total') === application.calls, 'the number of all calls')
  }
  const ids = await edge.value('count(count by (object_id) (trace_counter))')
  assert.ok(ids > 10, `${ids} objects`)
  assert.equal(await receiver.value('count(site:trace_counter:rate5m)'), 1)
})

for (const [name, document] of [['PodMonitor', 'docs/deployment.md'], ['ServiceMonitor', 'docs/fleet.md']]) {
  test(`fleet: the ${name} of ${document} conforms to the operator's schema`, { skip: lacks('ecosystem') }, async () => {
    const kinds = await import(pathToFileURL(path.join(environment.NODE_PATH, '@kubernetes-models', 'prometheus-operator', 'monitoring.coreos.com', 'v1', 'index.js')))
    const manifest = requirePackage('js-yaml').load(readme.marked(`manifest of a ${name}`))
    const { apiVersion, kind, ...fields } = manifest
    assert.deepEqual([apiVersion, kind], ['monitoring.coreos.com/v1', name])
    new kinds[name](fields).validate()
    const list = name === 'PodMonitor' ? 'podMetricsEndpoints' : 'endpoints'
    fields.spec[list][0].interval = '15 seconds'
    assert.throws(() => new kinds[name](fields).validate(), /interval/)
  })
}

test('fleet: in the example, the calls of two applications arrive at the central server', { skip: lacks('prometheus3'), timeout: 60_000 }, async (t) => {
  const [central, agent] = [await freePort(), await freePort()]
  const options = ['--prometheus', commandOf('prometheus3'), '--central', String(central), '--agent', String(agent), '--for', '4']
  const example = startProgram(t, path.join(__dirname, '..', 'examples', 'fleet.js'), options)
  await example.line(/^Central: http:\/\/localhost:\d+\/query$/)
  const [, calls, arrived] = await example.line(/^Calls: (\d+); in the central server: (\d+)$/, 40_000)
  assert.ok(Number(calls) > 10)
  assert.equal(arrived, calls)
  assert.deepEqual((await example.ended()).code, 0)
})
