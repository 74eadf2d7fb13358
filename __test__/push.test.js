'use strict'

// Runs the programs of docs/push.md and the example with a real Pushgateway and a real Prometheus.

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')

const { Counter, Pushgateway, Registry } = require('prom-client')
const HypertracePrometheus = require('..')
const { startDocumented } = require('./support/documents')
const { parse } = require('./support/exposition')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { startPushgateway } = require('./support/pushgateway')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const EXAMPLE = path.join(__dirname, '..', 'examples', 'push.js')
const GATEWAY = 'http://localhost:9091'

/** The series of the counter on the page of a gateway: labels and value. */
async function pushed (gateway) {
  const page = await (await fetch(`${gateway}/metrics`)).text()
  const lines = page.split('\n').filter((line) => line.includes('trace_counter'))
  return (parse(lines.map((line) => line + '\n').join('')).get('trace_counter')?.samples ?? []).map(({ labels, value }) => ({ ...labels, value }))
}

test('push: the job with fetch pushes at its end, and its next run replaces the page', { skip: lacks('pushgateway'), timeout: 60_000 }, async (t) => {
  const gateway = await startPushgateway(t)
  for (let run = 0; run < 2; run++) {
    const { code, stderr } = await startDocumented(t, 'job.js', { replace: [[GATEWAY, gateway]] }).ended()
    assert.deepEqual([code, stderr], [0, ''])
    const series = await pushed(gateway)
    assert.deepEqual(series.map(({ job, app, object_classname: name, value }) => [job, app, name, value]), [['backup', 'backup', 'SomeModule', 1]])
  }
  const page = await (await fetch(`${gateway}/metrics`)).text()
  assert.match(page, /^process_cpu_seconds_total\{app="backup",instance="",job="backup"\} /m)
})

test('push: a job whose gateway is not there fails', { timeout: 60_000 }, async (t) => {
  const closed = `http://127.0.0.1:${await freePort()}`
  const { code, stderr } = await startDocumented(t, 'job.js', { replace: [[GATEWAY, closed]] }).ended()
  assert.equal(code, 1)
  assert.match(stderr, /ECONNREFUSED/)
})

test('push: the job with prom-client pushes the page of the trace function', { skip: lacks('pushgateway') || lacks('ecosystem'), timeout: 60_000 }, async (t) => {
  const gateway = await startPushgateway(t)
  const { code, stderr } = await startDocumented(t, 'job-prom-client.js', { replace: [[GATEWAY, gateway]] }).ended()
  assert.deepEqual([code, stderr], [0, ''])
  assert.deepEqual((await pushed(gateway)).map(({ job, value }) => [job, value]), [['backup', 1]])
})

test('push: prom-client pushes a registry with its metrics and those of this package, and a group for each instance', { skip: lacks('pushgateway'), timeout: 60_000 }, async (t) => {
  const url = await startPushgateway(t)
  const register = new Registry()
  new Counter({ name: 'orders_total', help: 'Orders', registers: [register] }).inc(3)
  const traceFunction = HypertracePrometheus({ register })
  t.after(traceFunction.stop)
  const gateway = new Pushgateway(url, {}, traceFunction.register)
  for (const instance of ['a', 'b']) {
    traceFunction(payload())
    await gateway.push({ jobName: 'backup', groupings: { instance } })
  }
  assert.deepEqual((await pushed(url)).map(({ instance, value }) => [instance, value]), [['a', 1], ['b', 2]])
  assert.match(await (await fetch(`${url}/metrics`)).text(), /^orders_total\{instance="a",job="backup"\} 3$/m)
})

test('push: Prometheus has the counts of the example, and the time at which they were pushed', { skip: lacks('pushgateway') || lacks('prometheus'), timeout: 60_000 }, async (t) => {
  const gateway = await startPushgateway(t)
  const prometheus = await startPrometheus(t, { pushgateway: { target: new URL(gateway).host, more: { honor_labels: true } } })
  const example = startProgram(t, EXAMPLE, ['--gateway', gateway, '--calls', '2500'])
  assert.equal((await example.ended()).code, 0)
  await until(async () => await prometheus.value('sum(trace_counter{job="example"})') === 2500, '2,500 calls')
  assert.equal(await prometheus.value('hypertrace_calls_total{job="example"}'), 2500)
  const age = await prometheus.value('time() - push_time_seconds{job="example"}')
  assert.ok(age >= 0 && age < 60, `${age} s`)
})
