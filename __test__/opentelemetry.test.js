'use strict'

// Tests the metric producer with the real SDK of OpenTelemetry: with its metric readers, its Prometheus exporter, and its OTLP
// exporter, which pushes into real servers.

const assert = require('node:assert/strict')
const { execFile, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const test = require('node:test')
const { promisify } = require('node:util')
const { Worker } = require('node:worker_threads')

const { AggregationTemporality, DataPointType, MeterProvider, MetricReader } = require('@opentelemetry/sdk-metrics')
const { PrometheusExporter } = require('@opentelemetry/exporter-prometheus')
const { Registry } = require('prom-client')
const HypertracePrometheus = require('..')
const { createMetricProducer } = require('../lib/metric-producer')
const { startDocumented } = require('./support/documents')
const { environment, requirePackage } = require('./support/ecosystem')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { commandOf, lacks } = require('./support/tools')
const { until } = require('./support/until')
const { startVictoriaMetrics, startVmagent } = require('./support/victoria-metrics')

const PUSH = { timeoutMillis: 10_000 }
const PULL = {}

/** A metric reader of the SDK that collects only when a test calls `collect()`. */
class TestReader extends MetricReader {
  async onForceFlush () {}
  async onShutdown () {}
}

/**
 * Creates an exporter, and a metric reader of the SDK with the exporter's producer.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('..').Options} [options]
 * @param {import('..').MetricProducerOptions} [producerOptions]
 */
function setUp (t, options, producerOptions) {
  const traceFunction = HypertracePrometheus(options)
  t.after(traceFunction.stop)
  const { metricProducer } = traceFunction
  const reader = new TestReader({ metricProducers: [producerOptions === undefined ? metricProducer : metricProducer(producerOptions)] })
  const provider = new MeterProvider({ readers: [reader] })
  t.after(() => provider.shutdown())
  return {
    traceFunction,
    /** @param {{ timeoutMillis?: number }} [how] */
    async collect (how = PULL) {
      const { resourceMetrics, errors } = await reader.collect(how)
      assert.deepEqual(errors, [])
      return new Map(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).map((metric) => [metric.descriptor.name, metric]))
    }
  }
}

const count = (traceFunction, id, times = 1) => {
  for (let i = 0; i < times; i++) traceFunction(payload({ object: { id } }))
}

const seconds = ([whole, nanoseconds]) => whole + nanoseconds / 1e9

/** Returns the object id and the value of a point. */
const shown = ({ attributes, value }) => [attributes.object_id, value]

test('opentelemetry: each series is a point of one cumulative sum, with its own start', async (t) => {
  const { traceFunction, collect } = setUp(t, { defaultLabels: { app: 'a "b"\n' } })
  const before = Date.now() / 1000
  count(traceFunction, 1, 3)
  count(traceFunction, 2)
  const { descriptor, aggregationTemporality, dataPointType, isMonotonic, dataPoints } = (await collect()).get('trace_counter')
  assert.deepEqual(descriptor, { name: 'trace_counter', description: 'Counts how many times a function has been traced', unit: '', valueType: 0 })
  assert.equal(aggregationTemporality, AggregationTemporality.CUMULATIVE)
  assert.equal(dataPointType, DataPointType.SUM)
  assert.equal(isMonotonic, true)
  assert.deepEqual(dataPoints.map(shown), [['1', 3], ['2', 1]])
  assert.deepEqual({ ...dataPoints[0].attributes }, {
    object_classname: 'Thing', object_id: '1', caller_functionname: 'work', caller_filename: '/app/thing.js', app: 'a "b"\n'
  })
  const [first, second] = dataPoints.map(({ startTime }) => seconds(startTime))
  const end = seconds(dataPoints[0].endTime)
  assert.ok(before - 0.001 <= first && first < second && second < end && end <= Date.now() / 1000 + 0.001, `${before} ${first} ${second} ${end}`)

  count(traceFunction, 2)
  const again = (await collect()).get('trace_counter').dataPoints
  assert.deepEqual(again.map(shown), [['1', 3], ['2', 2]])
  assert.deepEqual(again.map(({ startTime }) => startTime), dataPoints.map(({ startTime }) => startTime))
  assert.ok(seconds(again[0].endTime) > end)
})

test('opentelemetry: a reader that pushes gets a point at 0 before the first value of a series, once', async (t) => {
  const { traceFunction, collect } = setUp(t)
  const points = async (how) => (await collect(how)).get('trace_counter').dataPoints
  count(traceFunction, 1, 3)
  assert.deepEqual((await points(PULL)).map(shown), [['1', 3]])
  const [zero, value] = await points(PUSH)
  assert.deepEqual([shown(zero), shown(value)], [['1', 0], ['1', 3]])
  assert.deepEqual(zero.startTime, zero.endTime)
  const before = seconds(value.startTime) - seconds(zero.endTime)
  assert.ok(before > 0.0009 && before < 0.0011, `${before} s`)
  count(traceFunction, 1)
  count(traceFunction, 2, 2)
  assert.deepEqual((await points(PULL)).map(shown), [['1', 4], ['2', 2]])
  assert.deepEqual((await points(PUSH)).map(shown), [['1', 4], ['2', 0], ['2', 2]])
  assert.deepEqual((await points(PUSH)).map(shown), [['1', 4], ['2', 2]])
})

test('opentelemetry: startAtZero: false, of the exporter or of the producer, leaves out the points at 0', async (t) => {
  for (const [options, producerOptions, expected] of /** @type {const} */ ([
    [{ startAtZero: false }, undefined, [['1', 1]]],
    [{}, { startAtZero: false }, [['1', 1]]],
    [{ startAtZero: false }, { startAtZero: true }, [['1', 0], ['1', 1]]]
  ])) {
    const { traceFunction, collect } = setUp(t, options, producerOptions)
    count(traceFunction, 1)
    assert.deepEqual((await collect(PUSH)).get('trace_counter').dataPoints.map(shown), expected)
  }
})

test('opentelemetry: two producers of one exporter each have their points at 0', async (t) => {
  const traceFunction = HypertracePrometheus()
  t.after(traceFunction.stop)
  count(traceFunction, 1)
  for (const producer of [traceFunction.metricProducer, traceFunction.metricProducer(), traceFunction.metricProducer(null)]) {
    const { resourceMetrics } = await producer.collect(PUSH)
    assert.deepEqual(resourceMetrics.scopeMetrics[0].metrics[0].dataPoints.map(shown), [['1', 0], ['1', 1]])
  }
})

test('opentelemetry: without calls there is no metric, and after stop() the counts remain', async (t) => {
  const { traceFunction, collect } = setUp(t)
  assert.equal((await collect()).size, 0)
  count(traceFunction, 1, 2)
  await traceFunction.stop()
  count(traceFunction, 1)
  assert.deepEqual((await collect()).get('trace_counter').dataPoints.map(shown), [['1', 3]])
})

test('opentelemetry: a series that is reset begins again', async (t) => {
  const register = new Registry()
  const { traceFunction, collect } = setUp(t, { register })
  count(traceFunction, 1, 2)
  const [, first] = (await collect(PUSH)).get('trace_counter').dataPoints
  register.resetMetrics()
  assert.equal((await collect(PUSH)).size, 0)
  count(traceFunction, 1)
  const [zero, second] = (await collect(PUSH)).get('trace_counter').dataPoints
  assert.deepEqual([zero, second].map(shown), [['1', 0], ['1', 1]])
  assert.ok(seconds(second.startTime) > seconds(first.endTime))
})

test('opentelemetry: no series expires before its last value was collected', async (t) => {
  const { traceFunction, collect } = setUp(t, { seriesIdleTimeout: 1 })
  const idle = async () => until(async () => {
    await traceFunction.metrics()
    return performance.now() - counted > 50
  }, 'series are idle')
  let counted = performance.now()
  count(traceFunction, 1, 2)
  await collect(PUSH)
  count(traceFunction, 2, 3)
  counted = performance.now()
  await idle()
  const { dataPoints } = (await collect(PUSH)).get('trace_counter')
  assert.deepEqual(dataPoints.map(shown).filter(([id]) => id === '2'), [['2', 0], ['2', 3]])
  await until(async () => (await collect(PUSH)).size === 0, 'both have expired')
  count(traceFunction, 2)
  assert.deepEqual((await collect(PUSH)).get('trace_counter').dataPoints.map(shown), [['2', 0], ['2', 1]])
})

test('opentelemetry: the event loop turns while many series are collected, and every count is there', async (t) => {
  const { traceFunction, collect } = setUp(t)
  const ids = 5000
  for (let id = 1; id <= ids; id++) count(traceFunction, id, 1 + id % 3)
  let turns = 0
  let isCollecting = true
  const turn = () => {
    turns++
    if (isCollecting) setImmediate(turn)
  }
  setImmediate(turn)
  const { dataPoints } = (await collect()).get('trace_counter')
  isCollecting = false
  assert.ok(turns >= 4, `${turns} turns`)
  assert.deepEqual(dataPoints.map(shown), Array.from({ length: ids }, (_, index) => [String(index + 1), 1 + (index + 1) % 3]))
})

test('opentelemetry: collectDefaults adds the default metrics with the types and values of the page', async (t) => {
  const { traceFunction, collect } = setUp(t, { defaultLabels: { app: 'a' } }, { collectDefaults: true })
  count(traceFunction, 1, 5)
  globalThis.gc?.()
  await until(async () => (await collect()).has('nodejs_gc_duration_seconds'), 'a garbage collection', { pause: 1 })
  const metrics = await collect(PUSH)
  const families = parse(await traceFunction.metrics())
  const expected = [...families.values()].filter(({ samples }) => samples.length > 0)
  assert.deepEqual([...metrics.keys()].sort(), expected.map(({ name }) => name).sort())
  const types = { counter: DataPointType.SUM, gauge: DataPointType.GAUGE, histogram: DataPointType.HISTOGRAM }
  for (const { name, help, type } of expected) {
    const metric = metrics.get(name)
    assert.equal(metric.dataPointType, types[type], name)
    assert.equal(metric.descriptor.description, help)
    for (const { attributes, startTime, endTime } of metric.dataPoints) {
      assert.equal(attributes.app, 'a')
      assert.ok(seconds(startTime) <= seconds(endTime), name)
    }
  }
  const values = (name) => metrics.get(name).dataPoints.map(({ value }) => value)
  assert.deepEqual(values('hypertrace_calls_total'), [0, 5])
  assert.deepEqual(values('hypertrace_lost_total'), [0, 0])
  assert.deepEqual(values('hypertrace_series'), [1])
  const [zero, cpu] = metrics.get('process_cpu_seconds_total').dataPoints
  assert.equal(zero.value, 0)
  assert.ok(cpu.value > 0 && cpu.startTime[0] * 1000 <= Date.now() - process.uptime() * 1000 + 2000)

  const { dataPoints: [{ attributes, value }] } = metrics.get('nodejs_gc_duration_seconds')
  assert.deepEqual(Object.keys(attributes).sort(), ['app', 'kind'])
  assert.equal(value.buckets.counts.length, value.buckets.boundaries.length + 1)
  assert.equal(value.buckets.counts.reduce((sum, n) => sum + n), value.count)
  assert.ok(value.count > 0 && value.sum > 0)
})

test('opentelemetry: default metrics that cannot be read add an error to the collection, which still has the counter', async () => {
  const failure = new Error('no figures')
  const read = (visit) => ({
    step: () => { visit({ start: [1, 0], labels: { id: 'a' } }, 7); return false },
    pause: async () => {},
    complete: () => [2, 0],
    end: () => {}
  })
  const source = { name: 'n', help: 'h', startAtZero: true, opened: [0, 0], readSeries: read, sweep () {}, families () { throw failure } }
  const { errors, resourceMetrics } = await createMetricProducer(source)({ collectDefaults: true }).collect()
  assert.deepEqual(errors, [failure])
  assert.deepEqual(resourceMetrics.scopeMetrics[0].metrics.map(({ dataPoints }) => dataPoints[0].value), [7])
})

test('opentelemetry: collectDefaults has the metrics that the option of the exporter selects', async (t) => {
  for (const [option, expected] of /** @type {const} */ ([[false, []], ['hypertrace', ['hypertrace']], [true, ['hypertrace', 'nodejs', 'process']]])) {
    const { collect } = setUp(t, { collectDefaults: option }, { collectDefaults: true })
    assert.deepEqual([...new Set([...(await collect()).keys()].map((name) => name.split('_')[0]))].sort(), expected)
  }
})

test('opentelemetry: a producer has the counts of the threads that share the port, and not those of other processes', { timeout: 60_000 }, async (t) => {
  const options = { port: 0, host: '127.0.0.1', cluster: true, collectDefaults: false }
  const { traceFunction, collect } = setUp(t, options)
  const { port } = traceFunction.address()
  count(traceFunction, 1)
  const program = `
    const { payload } = require(${JSON.stringify(require.resolve('./support/payload'))})
    const traceFunction = require(${JSON.stringify(require.resolve('..'))})(${JSON.stringify({ ...options, port })})
    for (let call = 0; call < 5; call++) traceFunction(payload({ object: { id: Number(process.env.ID) } }))
    traceFunction.metricProducer.collect().then(async ({ resourceMetrics }) => {
      const [{ metrics: [{ dataPoints }] }] = resourceMetrics.scopeMetrics
      console.log(JSON.stringify(dataPoints.map(({ attributes, value }) => [attributes.object_id, value])))
      await traceFunction.stop()
    })`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', program], { env: { ...process.env, ID: '2' } })
  assert.deepEqual([stdout, stderr], ['[["2",5]]\n', ''])
  const worker = new Worker(program, { eval: true, env: { ...process.env, ID: '3' }, stdout: true })
  await once(worker, 'exit')
  assert.deepEqual((await collect()).get('trace_counter').dataPoints.map(shown), [['1', 1], ['3', 5]])
})

test('opentelemetry: wrong options throw the errors that Node.js throws for wrong arguments', (t) => {
  const traceFunction = HypertracePrometheus()
  t.after(traceFunction.stop)
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [1, /^The "options" option must be an object\. Received type number \(1\)$/],
    [{ collectDefaults: 'yes' }, /^The "collectDefaults" option must be a boolean\. Received type string \('?"?yes"?'?\)$/],
    [{ startAtZero: 0 }, /^The "startAtZero" option must be a boolean\. Received type number \(0\)$/]
  ])) {
    assert.throws(() => traceFunction.metricProducer(options), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message })
  }
})

test('opentelemetry: the page of the SDK\'s Prometheus exporter has the metrics of the SDK and of this package', async (t) => {
  const traceFunction = HypertracePrometheus({ defaultLabels: { app: 'a "b"\\\n' } })
  t.after(traceFunction.stop)
  const port = await freePort()
  const exporter = new PrometheusExporter({ port, host: '127.0.0.1', metricProducers: [traceFunction.metricProducer({ collectDefaults: true })] })
  const provider = new MeterProvider({ readers: [exporter] })
  t.after(() => provider.shutdown())
  provider.getMeter('shop').createCounter('orders').add(4)
  count(traceFunction, 1, 3)
  count(traceFunction, 2)
  await until(async () => (await get({ port, host: '127.0.0.1' }).catch(() => null))?.status === 200, 'the exporter listens')
  const { body } = await get({ port, host: '127.0.0.1' })
  const families = parse(body)
  assert.equal(families.get('orders_total').samples[0].value, 4)
  const { type, samples } = families.get('trace_counter_total')
  assert.equal(type, 'counter')
  assert.deepEqual(samples.map(({ labels, value }) => [labels.object_id, labels.app, value]), [['1', 'a "b"\\\n', 3], ['2', 'a "b"\\\n', 1]])
  assert.equal(families.get('hypertrace_calls_total').samples[0].value, 4)
  assert.equal(families.get('nodejs_gc_duration_seconds')?.type ?? 'histogram', 'histogram')
})

/**
 * Pushes the counts of an application of short-lived objects by OTLP, until the application has made 300 calls.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} url
 * @param {() => Promise<unknown>} whilePushing
 * @returns {Promise<{ calls: number, counts: Map<string, number> }>} the counts of the page by object id
 */
async function push (t, url, whilePushing) {
  const { OTLPMetricExporter } = requirePackage('@opentelemetry/exporter-metrics-otlp-proto')
  const { PeriodicExportingMetricReader, MeterProvider: Provider } = requirePackage('@opentelemetry/sdk-metrics')
  const traceFunction = HypertracePrometheus({ collectDefaults: 'hypertrace' })
  t.after(traceFunction.stop)
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url }),
    exportIntervalMillis: 500,
    metricProducers: [traceFunction.metricProducer({ collectDefaults: true })]
  })
  const provider = new Provider({ readers: [reader] })
  let calls = 0
  const timer = setInterval(() => {
    const id = calls / 3 + 1
    count(traceFunction, id, 3)
    calls += 3
  }, 20)
  try {
    await whilePushing()
    await until(() => calls >= 300, 'the application has made its calls')
  } finally {
    clearInterval(timer)
    await provider.shutdown() // with the last push
  }
  const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
  return { calls, counts: new Map(samples.map(({ labels, value }) => [labels.object_id, value])) }
}

test('opentelemetry: OTLP into VictoriaMetrics has the counts of the page', { skip: lacks('ecosystem') || lacks('victoria-metrics'), timeout: 60_000 }, async (t) => {
  const server = await startVictoriaMetrics(t)
  const { calls, counts } = await push(t, `${server.url}/opentelemetry/v1/metrics`, () =>
    until(async () => (await server.query('trace_counter')).length > 3, 'the first counts'))
  await until(async () => (await server.query('sum(trace_counter)'))[0].value === calls, 'all counts')
  const stored = await server.query('trace_counter')
  assert.deepEqual(new Map(stored.map(({ metric, value }) => [metric.object_id, value])), counts)
  assert.equal(stored[0].metric['scope.name'], 'hypertrace-prometheus')
  assert.equal((await server.query('sum(increase(trace_counter[2m]))'))[0].value, calls)
  assert.equal((await server.query('hypertrace_calls_total'))[0].value, calls)
})

// The Prometheus of Debian is built without the OTLP receiver. There, vmagent receives OTLP and sends
// the points, with their times, by remote write.
const HAS_OTLP = lacks('prometheus3') === false && spawnSync(commandOf('prometheus3'), ['--help']).output.join('').includes('web.enable-otlp-receiver')

test(`opentelemetry: OTLP into Prometheus 3, ${HAS_OTLP ? 'by its own receiver' : 'through vmagent'}, has the counts of the page and the right increase`, { skip: lacks('ecosystem') || lacks('prometheus3') || (!HAS_OTLP && lacks('vmagent')), timeout: 60_000 }, async (t) => {
  const options = [HAS_OTLP ? '--web.enable-otlp-receiver' : '--web.enable-remote-write-receiver']
  const prometheus = await startPrometheus(t, {}, { program: 'prometheus3', options })
  const url = HAS_OTLP
    ? `${prometheus.url}/api/v1/otlp/v1/metrics`
    : `${(await startVmagent(t, `${prometheus.url}/api/v1/write`, ['-opentelemetry.usePrometheusNaming'])).url}/opentelemetry/v1/metrics`
  const { calls, counts } = await push(t, url, () =>
    until(async () => (await prometheus.query('trace_counter_total')).length > 3, 'the first counts'))
  await until(async () => await prometheus.value('sum(trace_counter_total)') === calls, 'all counts')
  const stored = await prometheus.query('trace_counter_total')
  assert.deepEqual(new Map(stored.map(({ metric, value }) => [metric.object_id, value])), counts)
  await until(async () => await prometheus.value('hypertrace_calls_total') === calls, 'the number of all calls')

  // Exact: the last sample less the first, which is 0 for each series.
  assert.equal(await prometheus.value('sum(last_over_time(trace_counter_total[2m]) - min_over_time(trace_counter_total[2m]))'), calls)
  for (const name of ['trace_counter_total', 'hypertrace_calls_total']) {
    const increase = await prometheus.value(`sum(increase(${name}[2m]))`)
    t.diagnostic(`${calls} calls, increase of ${name}: ${increase}`)
    // increase() extrapolates each series by at most half an interval.
    assert.ok(increase >= 0.99 * calls && increase <= 1.6 * calls, `${increase} of ${calls}`)
  }
})

test('opentelemetry: push.js of the guide and the example push their counts, and the last counts at their end', { skip: lacks('ecosystem') || lacks('victoria-metrics'), timeout: 60_000 }, async (t) => {
  const server = await startVictoriaMetrics(t)
  const env = { ...environment, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${server.url}/opentelemetry/v1/metrics` }
  const sum = async (service) => (await server.query(`sum(trace_counter{"service.name"="${service}"})`))[0]?.value
  assert.deepEqual((await startDocumented(t, 'push.js', { env }).ended()).stderr, '')
  await until(async () => await sum('my-application') === 1, 'the call of push.js')

  const example = startProgram(t, path.join(__dirname, '..', 'examples', 'opentelemetry.js'), ['--every', '1000'], { env })
  await until(async () => await sum('example') > 1, 'calls of the example')
  example.child.kill('SIGINT')
  const [, calls] = await example.line(/^Calls: (\d+)$/)
  assert.equal((await example.ended()).code, 0)
  await until(async () => await sum('example') === Number(calls), `${calls} calls`)
})

test('opentelemetry: exporter.js of the guide serves the metrics of the SDK and of this package', { skip: lacks('ecosystem'), timeout: 60_000 }, async (t) => {
  const port = await freePort()
  startDocumented(t, 'exporter.js', { replace: [['9464', String(port)]] })
  await until(async () => {
    const { body } = await get({ port, host: '127.0.0.1' }).catch(() => ({ body: '' }))
    const families = parse(body)
    return families.get('orders_total')?.samples[0].value === 1 && families.get('trace_counter_total')?.samples[0].value >= 1
  }, 'the metrics of both')
})
