'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const HypertracePrometheus = require('..')

const wrong = [
  // option, value, error, code
  ['port', -1, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 65_536, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 1.5, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', NaN, RangeError, 'ERR_SOCKET_BAD_PORT'],
  ['port', 'http', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', '', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', {}, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', true, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', 10n, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['port', Symbol('s'), TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['host', 1, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['host', '', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['register', {}, TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['register', 'global', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['collectDefaults', 'no', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['collectDefaults', 0, TypeError, 'ERR_INVALID_ARG_TYPE'],
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
  ['omitLabels', 'id', TypeError, 'ERR_INVALID_ARG_TYPE'],
  ['omitLabels', ['nope'], TypeError, 'ERR_INVALID_ARG_VALUE'],
  ['maxSeries', 0, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', 1.5, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', Infinity, RangeError, 'ERR_OUT_OF_RANGE'],
  ['maxSeries', '10', TypeError, 'ERR_INVALID_ARG_TYPE'],
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
  for (const value of [1, 'x', true]) {
    assert.throws(() => HypertracePrometheus(value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  }
})

test('the error for an unknown label of omitLabels names it and lists the valid ones', () => {
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

test('nothing stays open after an option was refused', () => {
  const before = process.getActiveResourcesInfo().length
  for (let i = 0; i < 10; i++) {
    assert.throws(() => HypertracePrometheus({ port: 0, host: 'no.such.host.invalid' }), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })
    assert.throws(() => HypertracePrometheus({ port: 0, register: {} }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  assert.equal(process.getActiveResourcesInfo().length, before)
})
