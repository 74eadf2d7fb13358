'use strict'

/*
 * Tests that no value, of any type and in any field of a payload, throws into the application, loses a count or breaks the page.
 */

const { test, describe } = require('node:test')
const assert = require('node:assert/strict')
const { payload } = require('./support/payload')
const { plainValues, throwingValues } = require('./support/values')
const { parse } = require('./support/exposition')
const { countsOf, total } = require('./support/differences')
const HypertracePrometheus = require('..')

/** The fields of a payload, each with a function that puts a value into it. */
const fields = {
  id: (id) => ({ id }),
  'object.className': (className) => ({ object: { className } }),
  'object.id': (id) => ({ object: { id } }),
  'object.ctx': (ctx) => ({ object: { ctx } }),
  'object.props': (props) => ({ object: { props } }),
  'object.props.x': (x) => ({ object: { props: { x } } }),
  parentObject: (parentObject) => ({ parentObject }),
  'parentObject.className': (className) => ({ parentObject: { className, id: 1 } }),
  'parentObject.id': (id) => ({ parentObject: { className: 'P', id } }),
  'parentObject.props.x': (x) => ({ parentObject: { className: 'P', id: 1, props: { x } } }),
  'caller.functionName': (functionName) => ({ caller: { functionName } }),
  'caller.filename': (filename) => ({ caller: { filename } }),
  'caller.line': (line) => ({ caller: { line } }),
  'caller.column': (column) => ({ caller: { column } }),
  'caller.props': (props) => ({ caller: { props } }),
  'caller.props.x': (x) => ({ caller: { props: { x } } })
}

async function withTraceFunction (options, use) {
  const traceFunction = HypertracePrometheus({ collectDefaults: false, maxSeries: 100_000, ...options })
  try {
    return await use(traceFunction)
  } finally {
    await traceFunction.stop()
  }
}

/** Returns the value of one label, after two calls that make one series. */
function labelOf (options, name, given) {
  return withTraceFunction({ allowedProps: ['x'], ...options }, async (traceFunction) => {
    traceFunction(payload(given))
    traceFunction(payload(given))
    const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
    assert.deepEqual(samples.map(({ value }) => value), [2])
    return samples[0].labels[name]
  })
}

const propLabel = (x, options) => labelOf(options, 'caller_props_x', { caller: { props: { x } } })

for (const [field, fieldWith] of Object.entries(fields)) {
  test(`any value as ${field} counts once for each call, and the page stays valid`, async () => {
    await withTraceFunction({ allowedProps: ['x'] }, async (traceFunction) => {
      let calls = 0
      for (const [what, make] of [...plainValues, ...throwingValues]) {
        for (let again = 0; again < 3; again++, calls++) {
          const given = fieldWith(make())
          assert.doesNotThrow(() => traceFunction(payload(given)), what)
        }
        // The parser checks the escapes and the UTF-8, and that no series occurs twice.
        assert.equal(total(countsOf(Buffer.from(await traceFunction.metrics()))), calls, what)
      }
    })
  })
}

test('a call is counted with its other props if reading one of them throws', async () => {
  const props = { get x () { throw new Error('read') }, y: 'kept' }
  const label = await labelOf({ allowedProps: ['x', 'y'] }, 'caller_props_y', { caller: { props } })
  assert.equal(label, 'kept')
})

test('a payload of any other type counts once for each call', async () => {
  await withTraceFunction({}, async (traceFunction) => {
    const payloads = [undefined, null, 1, 'text', Symbol('s'), {}, { object: null, caller: null }, new Proxy({}, { get () { throw new Error() } })]
    for (const each of payloads) assert.doesNotThrow(() => traceFunction(each))
    assert.equal(total(countsOf(await traceFunction.metrics())), payloads.length)
  })
})

test('an odd payload does not change the counts of later ones', async () => {
  await withTraceFunction({ allowedProps: ['x'] }, async (traceFunction) => {
    for (const [, make] of [...throwingValues, ...plainValues]) {
      traceFunction(payload({ caller: { props: { x: make() } } }))
      traceFunction(payload({ id: 'steady' }))
    }
    const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
    const steady = samples.filter(({ labels }) => labels.id === 'steady')
    assert.deepEqual(steady.map(({ value }) => value), [throwingValues.length + plainValues.length])
  })
})

describe('a value is written', () => {
  test('unchanged, with all characters except lone surrogates', async () => {
    const everyUnit = []
    for (let from = 0; from < 0x10000; from += 512) {
      everyUnit.push(String.fromCharCode(...Array.from({ length: 512 }, (_, i) => from + i)))
    }
    for (const value of everyUnit) {
      assert.equal(await propLabel(value), value.toWellFormed(), `from U+${value.charCodeAt(0).toString(16)}`)
    }
  })

  test('with U+FFFD in place of a lone surrogate', async () => {
    assert.equal(await propLabel('x\ud83dy'), 'x\ufffdy')
    assert.equal(await propLabel('\ude00\ud83d'), '\ufffd\ufffd')
    assert.equal(await propLabel('\ud83d\ude00'), '\u{1f600}')
  })

  test('as text if it is a Buffer of text, in hex if it is another Buffer', async () => {
    assert.equal(await propLabel(Buffer.from('hello "core"\n')), 'hello "core"\n')
    assert.equal(await propLabel(Buffer.from('Grüße 😀 \ufffd')), 'Grüße 😀 \ufffd')
    assert.equal(await propLabel(Buffer.from('ff00fe', 'hex')), 'ff00fe')
    assert.equal(await propLabel(Buffer.from('e282', 'hex')), 'e282')
    assert.equal(await propLabel(Buffer.from('eda080', 'hex')), 'eda080')
    assert.equal(await propLabel(Buffer.from('efbfbdff', 'hex')), 'efbfbdff')
  })

  test('so that two binary keys are two series', async () => {
    await withTraceFunction({ allowedProps: ['key'] }, async (traceFunction) => {
      for (const byte of [0xf0, 0xf1, 0xf2]) traceFunction(payload({ caller: { props: { key: Buffer.alloc(32, byte) } } }))
      assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [1, 1, 1])
    })
  })

  test('as it was at the call, even if it changes later', async () => {
    const list = [1, 2]
    const key = Buffer.from('abc')
    await withTraceFunction({ allowedProps: ['x'] }, async (traceFunction) => {
      for (const x of [list, key]) traceFunction(payload({ caller: { props: { x } } }))
      list.push(3)
      key[0] = 0x7a
      for (const x of [list, key]) traceFunction(payload({ caller: { props: { x } } }))
      const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
      assert.deepEqual(samples.map(({ labels }) => labels.caller_props_x), ['1,2', 'abc', '1,2,3', 'zbc'])
    })
  })
})

describe('a long value', () => {
  const long = (length) => 'abcdefghij'.repeat(Math.ceil(length / 10)).slice(0, length)

  test('is whole up to 1,024 UTF-16 units, then cut and marked', async () => {
    assert.equal(await propLabel(long(1024)), long(1024))
    assert.equal(await propLabel(long(1025)), long(1023) + '…')
    assert.equal(await propLabel(long(1_000_000)), long(1023) + '…')
  })

  test('is cut at maxLabelValueLength', async () => {
    const maxLabelValueLength = 20
    assert.equal(await propLabel(long(20), { maxLabelValueLength }), long(20))
    assert.equal(await propLabel(long(21), { maxLabelValueLength }), long(19) + '…')
    assert.equal(await propLabel(long(100_000), { maxLabelValueLength: 65_535 }), long(65_534) + '…')
    assert.equal(await propLabel(long(65_535), { maxLabelValueLength: 65_535 }), long(65_535))
  })

  test('is not cut inside a character', async () => {
    const value = 'x'.repeat(18) + '😀😀😀'
    assert.equal(await propLabel(value, { maxLabelValueLength: 20 }), 'x'.repeat(18) + '…')
    assert.equal(await propLabel(value, { maxLabelValueLength: 21 }), 'x'.repeat(18) + '😀…')
  })

  test('is cut in every label', async () => {
    const value = long(2000)
    const cut = long(1023) + '…'
    const labels = {
      id: { id: value },
      object_classname: { object: { className: value } },
      object_id: { object: { id: value } },
      parent_object_classname: { parentObject: { className: value, id: 1 } },
      parent_object_id: { parentObject: { className: 'P', id: value } },
      caller_functionname: { caller: { functionName: value } },
      caller_filename: { caller: { filename: value } },
      object_props_x: { object: { props: { x: value } } },
      parent_object_props_x: { parentObject: { className: 'P', id: 1, props: { x: value } } },
      caller_props_x: { caller: { props: { x: value } } }
    }
    for (const [name, given] of Object.entries(labels)) assert.equal(await labelOf({}, name, given), cut, name)
  })

  test('of an array or a Buffer is cut in the same way', async () => {
    const array = (length) => Array.from({ length }, (_, i) => i % 10)
    assert.equal(await propLabel(array(2000)), array(2000).join().slice(0, 1023) + '…')
    assert.equal(await propLabel(new Array(2000)), ','.repeat(1023) + '…')
    assert.equal(await propLabel(new Uint8Array(2000)), new Uint8Array(2000).join().slice(0, 1023) + '…')
    assert.equal(await propLabel(Buffer.alloc(5000, 'text ')), 'text '.repeat(205).slice(0, 1023) + '…')
    assert.equal(await propLabel(Buffer.alloc(5000, '€')), '€'.repeat(1023) + '…')
    assert.equal(await propLabel(Buffer.alloc(5000, 0xfe)), 'fe'.repeat(512).slice(0, 1023) + '…')
  })

  test('of 10 MB is cut for every type of value', async () => {
    const size = 10 * 1024 * 1024
    assert.equal((await propLabel('"'.repeat(size))).length, 1024)
    assert.equal((await propLabel(Buffer.alloc(size, 'x'))).length, 1024)
    assert.equal((await propLabel(Buffer.alloc(size, 0xff))).length, 1024)
    assert.equal((await propLabel({ toString: () => 'x'.repeat(size) })).length, 1024)
    assert.equal((await propLabel(new Array(size))).length, 1024)
  })
})
