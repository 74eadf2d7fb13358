'use strict'

/*
 * Tests the trace path without Rust: a counter that consists of Maps records the calls. Some tests use a counter that does
 * not store definitions.
 */

const assert = require('node:assert/strict')
const test = require('node:test')
const createTrace = require('../lib/trace')
const { payload } = require('./support/payload')
const { createRandom } = require('./support/random')

const LABELS = 7

/**
 * Creates a counter. It maps a packed label set to a slot. The label set is passed as text, or as numbers of definitions.
 *
 * @param {{ keepsDefinitions?: boolean }} [options]
 */
function createCounter ({ keepsDefinitions = true } = {}) {
  const slots = new Map()
  const definitions = new Map()
  const blocks = []
  const calls = { intern: 0, internDefined: 0, defineSite: 0, defineProps: 0, clearDefinitions: 0 }
  const intern = (values) => {
    if (!slots.has(values)) slots.set(values, slots.size)
    return slots.get(values)
  }
  const define = (number, values) => { if (keepsDefinitions) definitions.set(number, values) }
  const counter = {
    intern: (values) => { calls.intern++; return intern(values) },
    defineSite: (number, values) => { calls.defineSite++; define(number, values) },
    defineProps: (number, values) => { calls.defineProps++; define(number, values) },
    internDefined: (site, object, parent, props) => {
      calls.internDefined++
      if (!definitions.has(site) || (props !== null && !definitions.has(props))) return null
      const ids = [object, parent].map((id) => (id ?? '') + '\x1f').join('')
      return intern(definitions.get(site) + ids + (definitions.get(props) ?? ''))
    },
    clearDefinitions: () => { calls.clearDefinitions++; definitions.clear() },
    createCells: (index) => (blocks[index] = new Float64Array(4096))
  }
  const counts = () => new Map([...slots].map(([values, slot]) => [values.split('\x1f').slice(0, -1), blocks[slot >>> 12][slot & 4095]]))
  return { counter, calls, counts }
}

function traceInto (counter, options) {
  return createTrace(counter, {
    allowedProps: [], propColumns: [], omitLabels: [], maxLabelValueLength: 1024, cacheLimit: 1000, cellBits: 12, ...options
  })
}

test('a label set of defined call sites and properties is not interned as text', () => {
  const { counter, calls, counts } = createCounter()
  const { trace } = traceInto(counter, { allowedProps: ['a'], propColumns: [0] })
  for (let round = 0; round < 3; round++) {
    for (let id = 1; id <= 10; id++) trace(payload({ object: { id }, caller: { props: { a: id % 2 } } }))
  }
  assert.deepEqual(calls, { intern: 0, internDefined: 10, defineSite: 1, defineProps: 2, clearDefinitions: 0 })
  assert.deepEqual([...counts().values()], Array(10).fill(3))
})

test('without definitions in Rust, each label set is interned as text, once', () => {
  const { counter, calls, counts } = createCounter({ keepsDefinitions: false })
  const { trace } = traceInto(counter, { allowedProps: ['a'], propColumns: [0] })
  for (let round = 0; round < 3; round++) {
    for (let id = 1; id <= 10; id++) trace(payload({ object: { id }, caller: { props: { a: 'x' } } }))
  }
  assert.deepEqual(calls, { intern: 10, internDefined: 1, defineSite: 1, defineProps: 1, clearDefinitions: 0 })
  assert.deepEqual([...counts().values()], Array(10).fill(3))
})

test('after Rust has dropped a definition, a new label set is interned as text, and a cached label set has the same slot', () => {
  const { counter, calls, counts } = createCounter()
  const { trace } = traceInto(counter)
  trace(payload({ object: { id: 1 } }))
  counter.clearDefinitions()
  trace(payload({ object: { id: 2 } }))
  trace(payload({ object: { id: 1 } }))
  assert.equal(calls.intern, 1)
  assert.deepEqual([...counts().values()], [2, 1])
})

test('the cache is dropped at its limit, with the definitions in Rust', () => {
  const { counter, calls, counts } = createCounter()
  const { trace } = traceInto(counter)
  for (let id = 1; id <= 5000; id++) trace(payload({ object: { id } }))
  assert.ok(calls.clearDefinitions >= 4 && calls.clearDefinitions <= 6, `${calls.clearDefinitions} times`)
  assert.equal(calls.defineSite, calls.clearDefinitions + 1)
  assert.equal(counts().size, 5000)
})

test('a series that is called at more and more positions does not exceed the limit of the cache', () => {
  const { counter, calls, counts } = createCounter()
  const { trace } = traceInto(counter)
  for (let line = 1; line <= 5000; line++) trace(payload({ caller: { line } }))
  assert.ok(calls.clearDefinitions > 20, `${calls.clearDefinitions} times`)
  assert.deepEqual([...counts().values()], [5000])
})

test('a label set has as many values as there are labels, whether it is interned as text or by definitions', () => {
  for (const id of [5, 'five']) {
    const { counter, counts } = createCounter()
    const { trace } = traceInto(counter, { allowedProps: ['a', 'b'], propColumns: [0, 1] })
    trace(payload({ object: { id }, caller: { props: { b: 'x' } } }))
    const [[values]] = counts()
    assert.deepEqual(values.slice(5), [String(id), '', '', '', '', '', '', 'x'])
    assert.equal(values.length, LABELS + 3 * 2)
  }
})

test('a call with a value whose toString traces is counted once, and each call inside toString is counted once', () => {
  const { counter, counts } = createCounter()
  const { trace } = traceInto(counter, { allowedProps: ['a', 'b'], propColumns: [0, 1] })
  const inner = () => payload({ object: { id: 2 }, caller: { props: { a: 'inner', b: 'more' } } })
  let innerCalls = 0
  const value = { toString: () => { innerCalls++; trace(inner()); return 'outer' } }
  for (let round = 0; round < 3; round++) trace(payload({ object: { id: 1 }, caller: { props: { a: 'first', b: value } } }))
  const byObject = new Map([...counts()].map(([values, count]) => [values[5], { props: values.slice(-2), count }]))
  assert.deepEqual(byObject.get('1'), { props: ['first', 'outer'], count: 3 })
  assert.deepEqual(byObject.get('2'), { props: ['inner', 'more'], count: innerCalls })
  assert.ok(innerCalls >= 3)
  assert.equal(byObject.size, 2)
})

for (const classes of [1, 8, 9, 50, 500]) {
  test(`a cached call does not call the counter, with ${classes} classes, parent classes and ids at one position`, () => {
    const { counter, calls, counts } = createCounter()
    const { trace } = traceInto(counter, { cacheLimit: 1_000_000 })
    const { below } = createRandom(classes)
    const pick = (kind) => `${kind}${below(classes)}`
    const payloads = Array.from({ length: 2000 }, () => payload({
      id: pick('id'), object: { className: pick('Class'), id: 1 }, parentObject: { className: pick('Parent'), id: 1, props: null, ctx: {} }
    }))
    for (const one of payloads) trace(one)
    const first = { ...calls }
    for (let round = 0; round < 3; round++) for (const one of payloads) trace(one)
    assert.deepEqual(calls, first)
    assert.equal([...counts().values()].reduce((sum, count) => sum + count), 8000)
    const expected = new Map()
    for (const { id, object, parentObject } of payloads) {
      const key = [object.className, id, parentObject.className].join()
      expected.set(key, (expected.get(key) ?? 0) + 4)
    }
    const counted = new Map([...counts()].map(([values, count]) => [[values[0], values[3], values[4]].join(), count]))
    assert.deepEqual(new Map([...counted].sort()), new Map([...expected].sort()))
  })
}

test('a difference in any single label distinguishes call sites at one position', () => {
  for (const change of [
    (n) => ({ id: `id${n}` }),
    (n) => ({ object: { className: `Class${n}` } }),
    (n) => ({ parentObject: { className: `Parent${n}`, id: 1, props: null, ctx: {} } }),
    (n) => ({ caller: { functionName: `function${n}` } }),
    (n) => ({ caller: { filename: `/a/path/that/is/long/enough/to/be/a/slice/file${n}.js` } })
  ]) {
    const { counter, calls, counts } = createCounter()
    const { trace } = traceInto(counter, { cacheLimit: 1_000_000 })
    for (let round = 0; round < 3; round++) for (let n = 0; n < 100; n++) trace(payload(change(n)))
    assert.equal(calls.internDefined, 100, change.toString())
    assert.deepEqual([...counts().values()], Array(100).fill(3))
  }
})

test('only new entries add to the weight of the cache: cached calls never drop the cache', () => {
  const { counter, calls } = createCounter()
  const { trace } = traceInto(counter)
  const payloads = Array.from({ length: 20 }, (_, n) => payload({ object: { className: `Class${n}`, id: 1 } }))
  for (let round = 0; round < 5000; round++) for (const one of payloads) trace(one)
  assert.equal(calls.clearDefinitions, 0)
  assert.equal(calls.internDefined, 20)
})

test('a call with an almost full stack is counted, or counted as lost', () => {
  const { counter, counts } = createCounter()
  const { trace, lostCalls } = traceInto(counter, { allowedProps: ['a'], propColumns: [0] })
  let returned = 0
  const recurse = (depth) => {
    trace(payload({ object: { id: depth % 7 }, caller: { props: { a: { toString: () => `value ${depth % 3}` } } } }))
    returned++
    recurse(depth + 1)
  }
  for (let round = 0; round < 20; round++) assert.throws(() => recurse(0), RangeError)
  const counted = [...counts().values()].reduce((sum, count) => sum + count)
  assert.equal(counted + lostCalls(), returned)
})
