'use strict'

/*
 * Tests that the protobuf format and the text format show the same page. An independent decoder reads the protobuf format.
 */

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { isDeepStrictEqual } = require('node:util')
const zlib = require('node:zlib')

const HypertracePrometheus = require('..')
const { decode } = require('./protobuf/decode')
const { ACCEPT, getProtobuf, getProtobuf10 } = require('./protobuf/get')
const { parse, seriesKey, shape } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')
const { startThread } = require('./workers/threads')

const CONTENT_TYPE = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
const ANNOUNCED = { 'x-prometheus-scrape-timeout-seconds': '1' }

function start (t, options) {
  const trace = HypertracePrometheus({ port: 0, ...options })
  t.after(() => trace.stop())
  return { trace, port: trace.address().port, count: (fields) => trace(payload(fields)) }
}

async function textFamilies (port, headers) {
  const { body } = await get({ port, host: '127.0.0.1', headers })
  return parse(body)
}

async function protobufFamilies (port, headers) {
  const { status, body } = await getProtobuf(port, { headers })
  assert.equal(status, 200)
  return decode(body)
}

/** Allocates until garbage has been collected, so that the histogram has samples. */
async function collectGarbage (port, prefix = '') {
  await until(async () => {
    Array.from({ length: 1e6 }, () => ({}))
    return (await textFamilies(port)).get(`${prefix}nodejs_gc_duration_seconds`).samples.length > 0
  }, 'a garbage collection')
}

/** Returns the families by name with their values by series, without start timestamps. */
function valuesOf (families) {
  return Object.fromEntries([...families.values()].map((family) => [family.name, {
    ...shape(family), values: Object.fromEntries(family.samples.map((sample) => [seriesKey(sample), sample.value]))
  }]))
}

/** Asserts that both formats show the same families, and returns the families of the protobuf page. */
async function assertSame (port) {
  const families = await protobufFamilies(port)
  const text = await textFamilies(port)
  assert.deepEqual([...families.keys()], [...text.keys()])
  assert.deepEqual(valuesOf(families), valuesOf(text))
  return families
}

test('series of any label values are the same in both formats', async (t) => {
  const { port, count } = start(t, { collectDefaults: false, allowedProps: ['p', 'q'] })
  const values = ['', 'a', '\\', '"', '\n', '\\n', 'a\\"\n"b\\', ',x="y"', '{}', '👩‍🚀', 'é', '\u0000', '\ud800', 'x'.repeat(5000), '0', '01', '2147483648']
  for (const value of values) {
    count({ id: value, object: { className: value, id: value, props: { p: value, q: 1 } } })
    count({ parentObject: { className: value, id: 7, props: { q: value } }, caller: { functionName: value, filename: value, props: { p: value } } })
  }
  for (const id of [0, 9, 10, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 53]) count({ object: { id }, parentObject: { className: 'P', id } })
  for (let n = 0; n < 300; n++) count({ object: { id: 5 } })
  const { samples } = (await assertSame(port)).get('trace_counter')
  assert.ok(samples.length > 35, `${samples.length} series`)
  assert.equal(samples.reduce((sum, { value }) => sum + value, 0), 2 * values.length + 8 + 300)
})

test('the default metrics are the same in both formats', async (t) => {
  const { port, count } = start(t, { prefix: 'app_', metricName: 'calls', defaultLabels: { app: 'a"\\\n', le: '7', type: 't' } })
  count({})
  await collectGarbage(port, 'app_')
  // Some figures change between two pages. A value that is equal on two pages must be the same on the page between them.
  await until(async () => {
    const before = valuesOf(await textFamilies(port))
    const families = valuesOf(await protobufFamilies(port))
    const after = valuesOf(await textFamilies(port))
    let compared = 0
    for (const [name, { values, ...family }] of Object.entries(families)) {
      const { values: valuesBefore, ...familyBefore } = before[name] ?? {}
      if (!isDeepStrictEqual(family, familyBefore) || after[name] === undefined) return false
      for (const [series, value] of Object.entries(values)) {
        if (valuesBefore[series] === undefined || valuesBefore[series] !== after[name].values[series]) continue
        compared++
        if (value !== valuesBefore[series]) return false
      }
    }
    if (!isDeepStrictEqual(Object.keys(families), Object.keys(before))) return false
    const types = Object.values(families).map(({ type }) => type)
    assert.deepEqual([...new Set(types)].sort(), ['counter', 'gauge', 'histogram'])
    return compared > 30
  }, 'a page between two equal ones')
})

test('the page has the same bytes with each length, coding and version of HTTP', async (t) => {
  for (const series of [3, 5000]) {
    const { port, count } = start(t, { collectDefaults: false })
    for (let id = 1; id <= series; id++) count({ object: { id } })
    const plain = await getProtobuf(port)
    const gzip = await getProtobuf(port, { headers: { 'accept-encoding': 'gzip' } })
    const cached = await getProtobuf(port, { headers: { 'accept-encoding': 'gzip' } })
    const http10 = await getProtobuf10(port)
    for (const { status, headers } of [plain, gzip, cached, http10]) {
      assert.equal(status, 200)
      assert.equal(headers['content-type'], CONTENT_TYPE)
      assert.equal(headers.vary, 'Accept, Accept-Encoding')
    }
    assert.equal(gzip.headers['content-encoding'], 'gzip')
    assert.ok(zlib.gunzipSync(gzip.body).equals(plain.body))
    assert.ok(zlib.gunzipSync(cached.body).equals(plain.body))
    assert.ok(http10.body.equals(plain.body))
    assert.equal(Number(http10.headers['content-length']), plain.body.length)

    const { status, headers, body } = await getProtobuf(port, { method: 'HEAD' })
    const { date, 'transfer-encoding': chunked, ...expected } = plain.headers
    assert.deepEqual({ status, length: body.length, ...headers, date }, { status: 200, length: 0, ...expected, date })
    assert.equal(decode(plain.body).get('trace_counter').samples.length, series)
  }
})

test('the page of a counter without calls has the family', async (t) => {
  const { port } = start(t, { collectDefaults: false })
  const families = await assertSame(port)
  assert.deepEqual(families.get('trace_counter').samples, [])
})

test('at the maximum both formats show the shortened series and the overflow series', async (t) => {
  const { port, count } = start(t, { collectDefaults: false, maxSeries: 20 })
  for (let id = 1; id <= 60; id++) count({ object: { id, className: `Class${id % 30}` } })
  const { samples } = (await assertSame(port)).get('trace_counter')
  assert.ok(samples.some(({ labels }) => labels.hypertrace_overflow === 'true'))
  assert.equal(samples.reduce((sum, { value }) => sum + value, 0), 60)
})

test('both formats show the samples of worker threads', { timeout: 60_000 }, async (t) => {
  const { port, count } = start(t)
  const thread = startThread(t)
  await thread.ask('join', { port })
  await thread.ask('count', { calls: 10, ids: ['a', 'b'] })
  count({ id: 'a', object: { className: 'Counted' } })
  const [protobuf, text] = [await protobufFamilies(port), await textFamilies(port)]
  assert.deepEqual(valuesOf(protobuf).trace_counter, valuesOf(text).trace_counter)
  const { samples } = protobuf.get('nodejs_heap_size_used_bytes')
  assert.deepEqual(samples.map(({ labels }) => Object.keys(labels)), [[], ['worker']])
  await thread.ask('stop')
})

test('each series starts at its first call', async (t) => {
  const { port, count } = start(t, { collectDefaults: false, seriesIdleTimeout: 400 })
  const began = new Map()
  const first = (id) => {
    const before = Date.now()
    count({ object: { id } })
    began.set(String(id), [before, Date.now()])
  }
  const assertStarts = (families) => {
    for (const { labels, start } of families.get('trace_counter').samples) {
      const [before, after] = began.get(labels.object_id)
      assert.ok(start >= before && start <= after, `${labels.object_id}: ${start}, not ${before} to ${after}`)
      assert.ok(Number.isInteger(start), 'whole milliseconds, which is the resolution of Prometheus')
    }
  }
  for (let id = 1; id <= 5; id++) {
    first(id)
    await sleep(3)
  }
  assertStarts(await assertSame(port))
  count({ object: { id: 1 } })
  assertStarts(await assertSame(port))
  // The series expire, and one starts again.
  await until(async () => (await protobufFamilies(port)).get('trace_counter').samples.length === 0, 'all have expired')
  assert.deepEqual((await assertSame(port)).get('trace_counter').samples, [])
  first(3)
  const families = await assertSame(port)
  assert.deepEqual(families.get('trace_counter').samples.map(({ value }) => value), [1])
  assertStarts(families)
})

test('a scraper is shown 0 first in both formats, with the same start timestamp', async (t) => {
  const { port, count } = start(t, { collectDefaults: false })
  count({})
  count({})
  const sampleOf = async (read, agent) => (await read(port, { ...ANNOUNCED, 'user-agent': agent })).get('trace_counter').samples[0]
  const exact = (await protobufFamilies(port)).get('trace_counter').samples[0]
  const zero = await sampleOf(protobufFamilies, 'one')
  assert.deepEqual(zero, { ...exact, value: 0 })
  await until(async () => (await sampleOf(protobufFamilies, 'one')).value === 2, 'the first page is completed')
  assert.equal((await sampleOf(textFamilies, 'one')).value, 2, 'a scraper may change the format')
  assert.equal((await sampleOf(textFamilies, 'two')).value, 2, 'two scrapers share the series that have been shown')
  count({ object: { id: 2 } })
  const second = async (agent) => (await textFamilies(port, { ...ANNOUNCED, 'user-agent': agent })).get('trace_counter').samples[1].value
  assert.equal(await second('two'), 0)
  assert.equal(await second('one'), 0)
})

test('the page of a register is in the format of the register', async (t) => {
  const { Registry } = require('prom-client')
  const { port, count } = start(t, { register: new Registry() })
  count({})
  const { headers, body } = await getProtobuf(port)
  assert.match(headers['content-type'], /^text\/plain;/)
  assert.ok(parse(body).has('trace_counter'))
})

for (const [name, program, feature] of [
  ['Prometheus 2 with native histograms', 'prometheus', 'native-histograms'],
  ['Prometheus 3 with start timestamps', 'prometheus3', 'created-timestamp-zero-ingestion']
]) {
  test(`${name} stores the same series of both formats`, { skip: lacks(program), timeout: 60_000 }, async (t) => {
    const { port, count } = start(t)
    const empty = start(t, { collectDefaults: false })
    count({ id: 'a"\\\n👩‍🚀' })
    await collectGarbage(port)
    const jobs = { page: { target: `127.0.0.1:${port}` }, empty: { target: `127.0.0.1:${empty.port}` } }
    const [protobuf, text] = await Promise.all([
      startPrometheus(t, jobs, { program, options: [`--enable-feature=${feature}`] }),
      startPrometheus(t, jobs, { program })
    ])
    const seriesOf = async (prometheus) => {
      for (const job of ['page', 'empty']) await prometheus.up(job)
      const series = await prometheus.query('{job="page", __name__=~"trace_counter|hypertrace_.*|process_.*|nodejs_.*"}')
      // Prometheus 2 stores the bounds of the text format unchanged, and the bounds of the protobuf format with a decimal point.
      return series.map(({ metric: { le, ...labels } }) => seriesKey({ name: labels.__name__, labels: { ...labels, ...le && { le: String(Number(le)) } } })).sort()
    }
    await until(async () => JSON.stringify(await seriesOf(protobuf)) === JSON.stringify(await seriesOf(text)), 'the same series')
    const series = await seriesOf(protobuf)
    assert.deepEqual(series, await seriesOf(text))
    assert.ok(series.length > 60, `${series.length} series`)
    assert.ok(series.some((key) => key.startsWith('nodejs_gc_duration_seconds_bucket')))
    for (const job of ['page', 'empty']) assert.equal((await protobuf.target(job)).lastError, '')
    assert.deepEqual(protobuf.log().split('\n').filter((line) => /level=(warn|error)/i.test(line)), [])
  })
}

test('the Accept header selects the format', async (t) => {
  const { port } = start(t)
  for (const [accept, expected] of [[ACCEPT, CONTENT_TYPE], ['*/*', 'text/plain; version=0.0.4; charset=utf-8'], ['', 'text/plain; version=0.0.4; charset=utf-8']]) {
    const { headers } = await getProtobuf(port, { headers: { accept } })
    assert.equal(headers['content-type'], expected)
    assert.equal(headers.vary, 'Accept, Accept-Encoding')
  }
})
