'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const { Registry } = require('prom-client')

const HypertracePrometheus = require('..')

const wrong = [
  // option, value, error, code
  ['port', -1, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 65_536, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 1.5, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', NaN, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 'http', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', '', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', ' 4343', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', '65536', RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', {}, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', true, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', 10n, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', Symbol('s'), TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['host', 1, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['host', '', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['host', '[::1]', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['host', ' localhost', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['host', 'localhost:4343', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['host', 'http://localhost', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['register', {}, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['register', 'global', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['collectDefaults', 'no', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['collectDefaults', 0, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['collectDefaults', 'false', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['allowedProps', 'foo', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['allowedProps', ['a', 1], TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['allowedProps', { 0: 'a', length: 1 }, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['metricName', 'a-b', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['metricName', '', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['metricName', 1, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['prefix', '1_', TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['prefix', 1, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['defaultLabels', 'a', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['defaultLabels', ['a'], TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['defaultLabels', { 'a-b': 'x' }, TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['defaultLabels', { __a: 'x' }, TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['defaultLabels', { object_id: 'x' }, TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['defaultLabels', { caller_props_a: 'x' }, TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['defaultLabels', { a: {} }, TypeError, 'ERR_INVALID_ARG_TYPE', 'defaultLabels.a'],
  ['defaultLabels', { a: undefined }, TypeError, 'ERR_INVALID_ARG_TYPE', 'defaultLabels.a'],
  ['defaultLabels', { a: NaN }, TypeError, 'ERR_INVALID_ARG_VALUE', 'defaultLabels.a'],
  ['defaultLabels', new Map([['a', 'b']]), TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['omitLabels', 'id', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['omitLabels', ['nope'], TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['maxSeries', 0, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', 1.5, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', Infinity, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', 'ten', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['maxSeries', '0', RangeError, 'ERR_OUT_OF_RANGE'],
  ['seriesIdleTimeout', '1.5', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['maxLabelValueLength', 0, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxLabelValueLength', 65_536, RangeError, 'ERR_OUT_OF_RANGE']
]

for (const [option, value, Type, code, named = option] of wrong) {
  test(`${option}: ${describe(value)} is refused at the call`, () => {
    assert.throws(() => HypertracePrometheus({ [option]: value }), (error) => {
      assert.ok(error instanceof Type, `${error.name} is a ${Type.name}`)
      assert.equal(error.code, code)
      assert.ok(error.message.includes(`"${named}"`), error.message)
      assert.match(error.message, / must be .+ Received /)
      return true
    })
  })
}

function describe (value) {
  return typeof value === 'object' ? JSON.stringify(value) : `${typeof value} ${String(value)}`
}

test('options of a type other than object are refused', () => {
  for (const value of [1, 'x', true, []]) {
    assert.throws(() => HypertracePrometheus(value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  }
})

test('the error for an unknown label in omitLabels names this label and lists the valid labels', () => {
  assert.throws(() => HypertracePrometheus({ omitLabels: ['object_idd'] }), (error) => {
    assert.match(error.message, /"object_idd"/)
    assert.match(error.message, /object_classname, caller_functionname, caller_filename, id, parent_object_classname, object_id, parent_object_id/)
    return true
  })
})

test('no argument, null and unknown options are accepted', async () => {
  for (const value of [undefined, null, {}, { unknown: 1 }, { port: null, register: null, allowedProps: null }]) {
    const traceFunction = HypertracePrometheus(value)
    assert.equal(traceFunction.address(), null)
    await traceFunction.stop()
  }
})

test('a port may be the digits of an environment variable', async () => {
  const traceFunction = HypertracePrometheus({ port: '0', collectDefaults: false })
  assert.ok(traceFunction.address().port > 0)
  await traceFunction.stop()
})

test('each option that is a number may be a string of digits', async () => {
  const traceFunction = HypertracePrometheus({ port: '0', maxSeries: '7', seriesIdleTimeout: '60000', maxLabelValueLength: '20' })
  const page = await traceFunction.metrics()
  assert.match(page, /^hypertrace_series_limit 7$/m)
  await traceFunction.stop()
})

test('a default label may be a string, a number, a bigint or a boolean', async () => {
  const traceFunction = HypertracePrometheus({ defaultLabels: { a: 'x', b: 1.5, c: 7n, d: true }, collectDefaults: 'hypertrace' })
  const page = await traceFunction.metrics()
  assert.match(page, /^hypertrace_series\{a="x",b="1\.5",c="7",d="true"\} 0$/m)
  await traceFunction.stop()
})

test('collectDefaults: "hypertrace" shows the families of the exporter only', async () => {
  const traceFunction = HypertracePrometheus({ port: 0, collectDefaults: 'hypertrace' })
  const { port } = traceFunction.address()
  for (const page of [await traceFunction.metrics(), await (await fetch(`http://localhost:${port}/metrics`)).text()]) {
    const families = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)
    assert.deepEqual(families.filter((name) => !name.startsWith('hypertrace_')), ['trace_counter'])
    assert.ok(families.includes('hypertrace_series') && families.includes('hypertrace_build_info'), families.join())
    assert.equal(families.includes('hypertrace_sample_age_seconds'), false)
  }
  await traceFunction.stop()
})

test('hypertrace_build_info has the version of the package', async () => {
  const traceFunction = HypertracePrometheus()
  assert.match(await traceFunction.metrics(), new RegExp(`^hypertrace_build_info\\{version="${require('../package.json').version}"\\} 1$`, 'm'))
  await traceFunction.stop()
})

const names = [
  [{ metricName: 'process_open_fds' }, 'process_open_fds'],
  [{ metricName: 'app_process_open_fds', prefix: 'app_' }, 'app_process_open_fds'],
  [{ metricName: 'nodejs_gc_duration_seconds_count' }, 'nodejs_gc_duration_seconds'],
  [{ metricName: 'hypertrace_series', collectDefaults: 'hypertrace' }, 'hypertrace_series']
]

for (const [options, family] of names) {
  test(`metricName: ${JSON.stringify(options)} collides with ${family} and is refused`, () => {
    const message = new RegExp(`^The "metricName" option must be a name that no other family of the page has \\(the page has ${family}\\)`)
    assert.throws(() => HypertracePrometheus(options), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message })
  })
}

test('metricName may be the name of a family that is not collected', async () => {
  for (const options of [{ collectDefaults: false }, { collectDefaults: 'hypertrace' }, { prefix: 'app_' }]) {
    await HypertracePrometheus({ metricName: 'process_open_fds', ...options }).stop()
  }
})

const registers = [
  [Registry, /this is its class: pass new Registry\(\)/],
  [require('prom-client'), /this has one: pass its property "register"/],
  [{ registerMetric () {}, getSingleMetric () {}, removeSingleMetric () {} }, /it has no metrics\(\)/]
]

for (const [register, hint] of registers) {
  test(`register: the error hints ${hint.source}`, () => {
    assert.throws(() => HypertracePrometheus({ register }), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: hint })
  })
}

test('auth: the error names the key that is undefined, or the keys that are wrong', () => {
  const table = [
    [{ bearer: undefined }, /^The "auth\.bearer" option must be a string that is not empty\. Received undefined$/],
    [{ username: 'a', password: undefined }, /^The "auth\.password" option must be a string that is not empty\. Received undefined$/],
    [{ user: 'a', pass: 'b' }, /must be an object: \{ username, password \} or \{ bearer \}; it has "user", "pass"\./],
    [{}, /; it has nothing\./],
    [{ username: 'a', password: 'b\n' }, /without the line break at its end, which trim\(\) removes/]
  ]
  for (const [auth, message] of table) assert.throws(() => HypertracePrometheus({ port: 0, auth }), { name: 'TypeError', message })
})

const warnings = [
  [{ allowedprops: ['a'] }, '"allowedprops"', 'Did you mean "allowedProps"?'],
  [{ metricsName: 'a' }, '"metricsName"', 'Did you mean "metricName"?'],
  [{ Port: 4343 }, '"Port"', 'Did you mean "port"?'],
  [{ prot: 4343 }, '"prot"', 'Did you mean "port"?'],
  [{ auth: { username: 'a', password: 'b', pasword: 'c' } }, '"auth.pasword"', 'Did you mean "password"?'],
  [{ auth: { bearer: 'a', realm: 'b' } }, '"auth.realm"', 'The options are username, password, bearer.'],
  [{ allowedProps: ['a-b', 'a_b'] }, '"a-b" and "a_b"', 'Allow only one of them']
]

for (const [options, named, detail] of warnings) {
  test(`a process warning names ${named}, once`, async () => {
    const emitted = []
    const listener = (warning) => { emitted.push(warning) }
    process.on('warning', listener)
    for (let i = 0; i < 2; i++) await HypertracePrometheus({ collectDefaults: false, ...options }).stop()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listener)
    const ours = emitted.filter(({ code }) => code === 'HYPERTRACE_OPTION')
    assert.equal(ours.length, 1, JSON.stringify(emitted))
    assert.ok(ours[0].message.includes(named), ours[0].message)
    assert.ok(ours[0].detail.includes(detail), ours[0].detail)
  })
}

test('other unknown options give no warning', async () => {
  const emitted = []
  const listener = (warning) => { emitted.push(warning) }
  process.on('warning', listener)
  await HypertracePrometheus({ unknown: 1, labels: {}, timeout: 5, server: null }).stop()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listener)
  assert.deepEqual(emitted, [])
})

test('nothing stays open after an option was refused', () => {
  const before = process.getActiveResourcesInfo().length
  for (let i = 0; i < 10; i++) {
    assert.throws(() => HypertracePrometheus({ port: 0, host: 'no.such.host.invalid' }), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })
    assert.throws(() => HypertracePrometheus({ port: 0, register: {} }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  assert.equal(process.getActiveResourcesInfo().length, before)
})
