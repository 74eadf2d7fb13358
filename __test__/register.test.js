'use strict'

/*
 * Tests the option `register`, with the registries of prom-client 14 and 15 and of its successor.
 */

const assert = require('node:assert/strict')
const { test } = require('node:test')

const { spawnSync } = require('node:child_process')

const HypertracePrometheus = require('..')
const { findRuntime } = require('../scripts/runtimes')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const clients = ['prom-client-14', 'prom-client']
if (Number(process.versions.node.split('.')[0]) >= 22) {
  clients.push('@prometheus-io/client')
} else {
  // @prometheus-io/client can be loaded only on Node.js 22 and newer.
  test('@prometheus-io/client: these tests pass on Node.js 22', { skip: lacks('node22'), timeout: 60_000 }, () => {
    const { status, stdout } = spawnSync(findRuntime('node22'), ['--test', '--test-reporter=tap', __filename],
      { encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined } })
    assert.equal(status, 0, stdout)
    assert.ok(stdout.match(/^ *ok \d+ - @prometheus-io\/client: /gm).length >= 10, stdout)
  })
}

const payload = (id, props) => ({
  id: 'call',
  object: { className: 'Thing', id, props },
  parentObject: null,
  caller: { functionName: 'f', filename: '/f.js', line: 1, column: 1 }
})

const sampleLines = (page) => page.split('\n').filter((line) => line.startsWith('trace_counter'))

for (const name of clients) {
  const client = require(name)

  test(`${name}: metrics() has the counts and the default families`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register, allowedProps: ['p'] })
    t.after(traceFunction.stop)
    traceFunction(payload(1, { p: 'a"b\\c\nd' }))
    traceFunction(payload(1, { p: 'a"b\\c\nd' }))
    traceFunction(payload(2))
    const page = await register.metrics()
    const families = parse(page)
    const counts = families.get('trace_counter').samples.map(({ labels, value }) => [labels.object_id, labels.object_props_p, value])
    assert.deepEqual(counts, [['1', 'a"b\\c\nd', 2], ['2', undefined, 1]])
    assert.equal(page.split('\n')[2], sampleLines(page)[0])
    assert.ok(families.get('process_cpu_seconds_total').samples[0].value > 0)
    assert.ok(families.get('nodejs_heap_size_used_bytes').samples[0].value > 0)
    assert.equal(await traceFunction.metrics() !== '', true)
    assert.equal(traceFunction.register, register)
    assert.equal(traceFunction.contentType, register.contentType)
    await traceFunction.stop()
  })

  test(`${name}: getMetricsAsJSON() and getSingleMetric() return the counter`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register, collectDefaults: false })
    t.after(traceFunction.stop)
    traceFunction(payload(7))
    const [json] = await register.getMetricsAsJSON()
    assert.equal(json.name, 'trace_counter')
    assert.equal(json.type, 'counter')
    assert.equal(json.aggregator, 'sum')
    assert.deepEqual({ ...json.values[0].labels }, {
      object_classname: 'Thing', object_id: '7', caller_functionname: 'f', caller_filename: '/f.js', id: 'call'
    })
    assert.equal(json.values[0].value, 1)
    assert.equal(register.getSingleMetric('trace_counter').help, 'Counts how many times a function has been traced')
    await traceFunction.stop()
  })

  test(`${name}: setDefaultLabels() adds labels, and the counter's own labels take precedence`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register, collectDefaults: false })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    const plain = await register.metrics()
    register.setDefaultLabels({ app: 'x', id: 'not this' })
    for (let again = 0; again < 2; again++) {
      const [{ labels }] = parse(await register.metrics()).get('trace_counter').samples
      assert.equal(labels.app, 'x')
      assert.equal(labels.id, 'call')
      const [json] = await register.getMetricsAsJSON()
      assert.equal(json.values[0].labels.app, 'x')
      assert.equal(json.values[0].labels.id, 'call')
    }
    register.setDefaultLabels({})
    assert.equal(await register.metrics(), plain)
    await traceFunction.stop()
  })

  test(`${name}: resetMetrics() resets the counts`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    traceFunction(payload(2))
    register.resetMetrics()
    assert.deepEqual(sampleLines(await register.metrics()), [])
    traceFunction(payload(2))
    const lines = sampleLines(await register.metrics())
    assert.equal(lines.length, 1)
    assert.match(lines[0], /object_id="2".* 1$/)
    await traceFunction.stop()
  })

  test(`${name}: stop() removes the metrics of the exporter, and no others`, async (t) => {
    const register = new client.Registry()
    const own = new client.Gauge({ name: 'own', help: 'own', registers: [register] })
    own.set(1)
    const traceFunction = HypertracePrometheus({ register })
    t.after(traceFunction.stop)
    assert.ok(register.getMetricsAsArray().length > 30)
    await traceFunction.stop()
    assert.deepEqual(register.getMetricsAsArray().map(({ name }) => name), ['own'])
    const again = HypertracePrometheus({ register })
    t.after(again.stop)
    await again.stop()
  })

  test(`${name}: default families that the register has already are not replaced`, async (t) => {
    const register = new client.Registry()
    client.collectDefaultMetrics({ register })
    const held = register.getMetricsAsArray()
    const traceFunction = HypertracePrometheus({ register })
    t.after(traceFunction.stop)
    parse(await register.metrics())
    for (const metric of held) assert.equal(register.getSingleMetric(metric.name), metric)
    await traceFunction.stop()
    assert.deepEqual(register.getMetricsAsArray(), held)
  })

  test(`${name}: collectDefaultMetrics() after the exporter replaces the default families`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    client.collectDefaultMetrics({ register })
    const theirs = register.getSingleMetric('process_cpu_seconds_total')
    assert.ok(theirs instanceof client.Counter)
    const families = parse(await register.metrics()) // throws if a family occurs twice
    assert.equal(families.get('trace_counter').samples[0].value, 1)
    assert.ok(families.has('hypertrace_series'))
    assert.ok(families.get('process_cpu_seconds_total').samples[0].value >= 0)
    await traceFunction.stop()
    assert.equal(register.getSingleMetric('process_cpu_seconds_total'), theirs)
    assert.equal(register.getSingleMetric('hypertrace_series'), undefined)
    assert.equal(Object.hasOwn(register, 'registerMetric'), false)
    assert.throws(() => new client.Counter({ name: 'process_cpu_seconds_total', help: 'x', registers: [register] }), /already been registered/)
  })

  test(`${name}: the counter and metrics of others keep their names`, async (t) => {
    const register = new client.Registry()
    const traceFunction = HypertracePrometheus({ register })
    t.after(traceFunction.stop)
    new client.Gauge({ name: 'own', help: 'own', registers: [register] }).set(1)
    for (const name of ['trace_counter', 'own']) {
      assert.throws(() => new client.Gauge({ name, help: 'x', registers: [register] }), /already been registered/)
    }
    await traceFunction.stop()
  })

  test(`${name}: collectDefaults: "hypertrace" leaves the default families to others, in either order`, async (t) => {
    for (const first of ['ours', 'theirs']) {
      const register = new client.Registry()
      if (first === 'theirs') client.collectDefaultMetrics({ register })
      const traceFunction = HypertracePrometheus({ register, collectDefaults: 'hypertrace' })
      t.after(traceFunction.stop)
      if (first === 'ours') client.collectDefaultMetrics({ register })
      const families = parse(await register.metrics())
      for (const name of ['hypertrace_series', 'hypertrace_build_info', 'process_cpu_seconds_total']) assert.ok(families.has(name), name)
      await traceFunction.stop()
    }
  })

  test(`${name}: a page waits for the register almost as long as the scraper waits for the page`, async (t) => {
    const register = new client.Registry()
    let entered = () => {}
    let finish = () => {}
    const gauge = new client.Gauge({
      name: 'slow',
      help: 'slow',
      registers: [register],
      collect () {
        entered()
        return new Promise((resolve) => { finish = () => { gauge.set(42); resolve() } })
      }
    })
    const traceFunction = HypertracePrometheus({ register, port: 0, host: '127.0.0.1', collectDefaults: false })
    t.after(traceFunction.stop)
    const { port } = traceFunction.address()
    const scrape = async (timeout) => {
      const { status, body } = await get({ port, host: '127.0.0.1', headers: { 'x-prometheus-scrape-timeout-seconds': timeout } })
      assert.equal(status, 200)
      return { slow: /^slow 42$/m.test(body), incomplete: /^hypertrace_scrape_incomplete (\d)$/m.exec(body)?.[1] }
    }
    // The collect() of this metric ends only after `finish`, so the scraper gets a page without it.
    assert.deepEqual(await scrape('0.3'), { slow: false, incomplete: '1' })
    finish()
    const isEntered = new Promise((resolve) => { entered = resolve })
    const page = scrape('30')
    await isEntered
    finish()
    assert.deepEqual(await page, { slow: true, incomplete: '0' })
    await traceFunction.stop()
  })

  test(`${name}: a register that has a trace_counter is refused, and nothing stays open`, async (t) => {
    const register = new client.Registry()
    const first = HypertracePrometheus({ register, collectDefaults: false })
    t.after(first.stop)
    const before = process.getActiveResourcesInfo().length
    assert.throws(() => HypertracePrometheus({ register, port: 0 }), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /trace_counter/ })
    assert.equal(process.getActiveResourcesInfo().length, before)
    assert.equal(register.getMetricsAsArray().length, 1)
    const second = HypertracePrometheus({ register, collectDefaults: false, metricName: 'other_counter' })
    t.after(second.stop)
    await Promise.all([first.stop(), second.stop()])
    assert.equal(register.getMetricsAsArray().length, 0)
  })

  test(`${name}: Registry.merge() merges the counter with others`, async (t) => {
    const register = new client.Registry()
    const other = new client.Registry()
    new client.Counter({ name: 'others_total', help: 'o', registers: [other] }).inc()
    const traceFunction = HypertracePrometheus({ register, collectDefaults: false })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    const families = parse(await client.Registry.merge([register, other]).metrics())
    assert.deepEqual([...families.keys()], ['trace_counter', 'others_total'])
    await traceFunction.stop()
  })

  test(`${name}: with a port, the page is the register's`, async (t) => {
    const register = new client.Registry()
    const own = new client.Gauge({ name: 'own', help: 'own', registers: [register], collect () { own.set(42) } })
    const traceFunction = HypertracePrometheus({ register, port: 0, collectDefaults: false })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    const response = await fetch(`http://localhost:${traceFunction.address().port}/metrics`)
    assert.equal(response.headers.get('content-type'), register.contentType)
    const families = parse(await response.text())
    assert.equal(families.get('own').samples[0].value, 42)
    assert.equal(families.get('trace_counter').samples[0].value, 1)
    assert.equal(families.get('hypertrace_scrape_incomplete').samples[0].value, 0)
    await traceFunction.stop()
  })

  test(`${name}: waiting scrapes share one rendering, and each page has the calls that were made before its request`, async (t) => {
    const register = new client.Registry()
    let renderings = 0
    let open
    const gate = new Promise((resolve) => { open = resolve })
    const own = new client.Gauge({ name: 'own', help: 'own', registers: [register], async collect () { own.set(++renderings); await gate } })
    const traceFunction = HypertracePrometheus({ register, port: 0, collectDefaults: false })
    t.after(traceFunction.stop)
    const scrape = async () => parse(await (await fetch(`http://localhost:${traceFunction.address().port}/metrics`)).text())
    const first = scrape()
    await until(() => renderings === 1, 'the first rendering begins')
    traceFunction(payload(1))
    const others = Array.from({ length: 60 }, scrape)
    await until(() => renderings === 2, 'the second rendering begins')
    open()
    assert.ok((await first).has('own'))
    for (const families of await Promise.all(others)) {
      assert.equal(families.get('trace_counter').samples[0].value, 1)
      assert.equal(families.get('hypertrace_scrape_incomplete').samples[0].value, 0)
    }
    // A scrape that arrives after the gate has opened may get a rendering of its own.
    assert.ok(renderings <= 30, `${renderings} renderings`)
    await traceFunction.stop()
  })

  test(`${name}: the page of a register that cannot render has only the families that Rust writes, and is marked incomplete`, async (t) => {
    const register = new client.Registry()
    register.registerMetric({ name: 'own', get: async () => { throw new Error('no figure') } })
    const traceFunction = HypertracePrometheus({ register, port: 0 })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    const response = await fetch(`http://localhost:${traceFunction.address().port}/metrics`)
    assert.equal(response.status, 200)
    const families = parse(await response.text())
    assert.equal(families.get('hypertrace_scrape_incomplete').samples[0].value, 1)
    assert.equal(families.get('trace_counter').samples[0].value, 1)
    assert.ok(families.has('process_cpu_seconds_total'))
    assert.equal(families.has('own'), false)
    await traceFunction.stop()
  })

  const { OPENMETRICS_CONTENT_TYPE } = client.Registry
  if (OPENMETRICS_CONTENT_TYPE === undefined) continue // prom-client 14.0 has no such mode

  test(`${name}: OpenMetrics mode names the counter's samples _total`, async (t) => {
    const register = new client.Registry()
    register.setContentType(OPENMETRICS_CONTENT_TYPE)
    const traceFunction = HypertracePrometheus({ register, port: 0 })
    t.after(traceFunction.stop)
    traceFunction(payload(1))
    const response = await fetch(`http://localhost:${traceFunction.address().port}/metrics`)
    assert.equal(response.headers.get('content-type'), OPENMETRICS_CONTENT_TYPE)
    const page = await response.text()
    assert.match(page, /^trace_counter_total\{.*\} 1$/m)
    assert.match(page, /^process_cpu_seconds_total [\d.]+$/m)
    assert.match(page, /\n# EOF\n$/)
    await traceFunction.stop()
    assert.equal(register.getMetricsAsArray().length, 0)
  })
}
