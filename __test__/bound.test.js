'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')

const HypertracePrometheus = require('..')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { until } = require('./support/until')

const CLASSES = ['Core', 'Store', 'Swarm']
const FUNCTIONS = ['get', 'append']

/** Returns a payload with label set number `n`. Each number has a different label set. */
function payload (n) {
  return {
    id: n % 5 === 0 ? 'five' : null,
    object: { className: CLASSES[n % 3], id: n, props: { p: n } },
    parentObject: { className: 'Parent', id: n, props: null },
    caller: { functionName: FUNCTIONS[n % 2], filename: '/app.js', line: 1 + n % 2, column: 3, props: { p: n } }
  }
}

async function families (traceFunction) {
  return parse(await traceFunction.metrics())
}

const sum = (samples, where = () => true) =>
  samples.filter(({ labels }) => where(labels)).reduce((total, { value }) => total + value, 0)

function exporter (t, options) {
  const traceFunction = HypertracePrometheus(options)
  t.after(traceFunction.stop)
  return traceFunction
}

test('at the maximum, the total and the sums by class, function and id stay exact', async (t) => {
  const traceFunction = exporter(t, { maxSeries: 1000, allowedProps: ['p'] })
  const calls = 30_000
  for (let n = 0; n < calls; n++) traceFunction(payload(n))
  for (let n = 0; n < calls; n += 10) traceFunction(payload(n))
  const page = await families(traceFunction)
  const { samples } = page.get('trace_counter')
  assert.ok(samples.length <= 1000)
  assert.ok(samples.length > 900, 'all series are used except the last tenth')
  assert.equal(sum(samples), calls * 1.1)
  const made = [...Array(calls).keys(), ...Array.from({ length: calls / 10 }, (_, n) => n * 10)].map(payload)
  for (const className of CLASSES) {
    const expected = made.filter(({ object }) => object.className === className).length
    assert.equal(sum(samples, (labels) => labels.object_classname === className), expected)
  }
  for (const name of FUNCTIONS) {
    const expected = made.filter(({ caller }) => caller.functionName === name).length
    assert.equal(sum(samples, (labels) => labels.caller_functionname === name), expected)
  }
  assert.equal(sum(samples, ({ id }) => id === 'five'), made.filter(({ id }) => id === 'five').length)
  assert.equal(sum(samples, (labels) => labels.parent_object_classname === 'Parent'), made.length)
  assert.equal(page.get('hypertrace_series').samples[0].value, samples.length)
  assert.equal(page.get('hypertrace_series_limit').samples[0].value, 1000)
  assert.ok(page.get('hypertrace_collapsed_total').samples[0].value > 0)
  assert.equal(page.get('hypertrace_overflowed_total').samples[0].value, 0)
})

test('a series that existed before the maximum was reached keeps its labels and count', async (t) => {
  const traceFunction = exporter(t, { maxSeries: 10, collectDefaults: false })
  traceFunction(payload(1))
  for (let n = 2; n < 100; n++) traceFunction(payload(n))
  traceFunction(payload(1))
  const { samples } = (await families(traceFunction)).get('trace_counter')
  assert.equal(samples.find(({ labels }) => labels.object_id === '1').value, 2)
})

test('above the maximum the overflow series counts all new label sets, and the total is exact', async (t) => {
  const traceFunction = exporter(t, { maxSeries: 20 })
  for (let n = 0; n < 500; n++) {
    const made = payload(n)
    made.caller.functionName = `f${n}`
    traceFunction(made)
    traceFunction(made)
  }
  const page = await families(traceFunction)
  const { samples } = page.get('trace_counter')
  assert.equal(samples.length, 20)
  assert.equal(sum(samples), 1000)
  const overflow = samples.filter(({ labels }) => labels.hypertrace_overflow === 'true')
  assert.equal(overflow.length, 1)
  assert.deepEqual(Object.keys(overflow[0].labels), ['hypertrace_overflow'])
  assert.ok(page.get('hypertrace_overflowed_total').samples[0].value >= 480)
})

test('reaching the maximum causes one warning with a code and a remedy', () => {
  const program = `
    const HypertracePrometheus = require(${JSON.stringify(require.resolve('..'))})
    process.on('warning', (warning) => console.log(JSON.stringify([warning.name, warning.code, warning.message, warning.detail])))
    for (let i = 0; i < 2; i++) {
      const trace = HypertracePrometheus({ maxSeries: 3, collectDefaults: false })
      for (let id = 1; id < 50; id++) {
        trace({ object: { className: 'A', id }, caller: { functionName: 'f', filename: 'f.js', line: 1, column: 1 } })
      }
    }`
  const { stdout, status } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 30_000 })
  assert.equal(status, 0)
  const warnings = stdout.trim().split('\n').map((line) => JSON.parse(line))
  assert.equal(warnings.length, 1)
  const [name, code, message, detail] = warnings[0]
  assert.equal(name, 'HypertraceWarning')
  assert.equal(code, 'HYPERTRACE_MAX_SERIES')
  assert.match(message, /bound of 3 series/)
  assert.match(detail, /omitLabels.*maxSeries/)
})

test('omitted labels are not on the page, and counts are summed', async (t) => {
  const traceFunction = exporter(t, { omitLabels: ['object_id', 'parent_object_id'], collectDefaults: false })
  for (let n = 0; n < 3000; n++) traceFunction(payload(n))
  const { samples } = (await families(traceFunction)).get('trace_counter')
  assert.equal(samples.length, 3 * 2 * 2)
  assert.equal(sum(samples), 3000)
  for (const { labels } of samples) {
    assert.equal('object_id' in labels || 'parent_object_id' in labels, false)
  }
})

test('each reserved label can be omitted, and so can all of them together', async (t) => {
  const reserved = ['object_classname', 'object_id', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname', 'parent_object_id']
  for (const omitLabels of [...reserved.map((label) => [label]), reserved]) {
    const traceFunction = exporter(t, { omitLabels, allowedProps: ['p'], collectDefaults: false })
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 10; n++) traceFunction(payload(n))
    }
    const { samples } = (await families(traceFunction)).get('trace_counter')
    assert.equal(sum(samples), 20)
    const expected = [...reserved.filter((label) => !omitLabels.includes(label)), 'caller_props_p', 'object_props_p']
    assert.deepEqual([...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))].sort(), expected.sort())
  }
})

test('a long label value is cut between characters and marked', async (t) => {
  const traceFunction = exporter(t, { maxLabelValueLength: 5, allowedProps: ['p'], collectDefaults: false })
  const table = [['abcde', 'abcde'], ['abcdef', 'abcd…'], ['abc😀d', 'abc…'], ['ab😀de', 'ab😀…'], ['x'.repeat(1e6), 'xxxx…']]
  for (const [index, [p]] of table.entries()) {
    const made = payload(index + 1)
    made.object.props = { p }
    made.caller.props = null
    traceFunction(made)
    traceFunction(made)
  }
  const { samples } = (await families(traceFunction)).get('trace_counter')
  assert.deepEqual(samples.map(({ labels, value }) => [labels.object_props_p, value]), table.map(([, shown]) => [shown, 2]))
  assert.equal(samples[0].labels.parent_object_classname, 'Pare…')
})

test('an idle series expires after a page has shown it, and begins again at 0', async (t) => {
  const traceFunction = exporter(t, { seriesIdleTimeout: 40 })
  traceFunction(payload(1))
  traceFunction(payload(1))
  let shown = 0
  const hasExpired = async () => {
    // Each check counts series 2, so that it does not expire.
    traceFunction(payload(2))
    const { samples } = (await families(traceFunction)).get('trace_counter')
    const one = samples.find(({ labels }) => labels.object_id === '1')
    if (one !== undefined) shown = one.value
    return one === undefined
  }
  await until(hasExpired, 'the idle series expires')
  assert.equal(shown, 2, 'a page has shown the final value')
  const page = await families(traceFunction)
  assert.ok(page.get('hypertrace_expired_total').samples[0].value >= 1)
  traceFunction(payload(1))
  const { samples } = (await families(traceFunction)).get('trace_counter')
  assert.equal(samples.find(({ labels }) => labels.object_id === '1').value, 1)
  assert.ok(samples.find(({ labels }) => labels.object_id === '2').value > 1)
})

test('scrapes expire idle series, also without default metrics', async (t) => {
  const traceFunction = exporter(t, { seriesIdleTimeout: 40, port: 0, host: '127.0.0.1', collectDefaults: false })
  const { port } = traceFunction.address()
  traceFunction(payload(1))
  let pages = 0
  await until(async () => {
    pages++
    return !(await get({ port, host: '127.0.0.1' })).body.includes('object_id="1"')
  }, 'the idle series expires')
  assert.ok(pages > 1, 'its value was on a page')
})

test('a registry shows new series in the slots of expired ones', async (t) => {
  const { Registry } = require('prom-client')
  const register = new Registry()
  const traceFunction = exporter(t, { seriesIdleTimeout: 20, register, collectDefaults: false })
  traceFunction(payload(1))
  await until(async () => !(await register.metrics()).includes('object_id="1"'), 'the idle series expires')
  traceFunction(payload(7))
  const { samples } = parse(await register.metrics()).get('trace_counter')
  assert.deepEqual(samples.map(({ labels, value }) => [labels.object_id, value]), [['7', 1]])
})
