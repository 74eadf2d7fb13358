'use strict'

/*
 * The trace path alone, on a counter made of Maps in place of Rust's: what it asks for, and that it can do without each answer.
 */

const assert = require('node:assert/strict')
const test = require('node:test')
const createTrace = require('../lib/trace')
const { payload } = require('./support/payload')

const LABELS = 7

/** Slots by packed label sets, as text or by numbers; `keeps`: whether numbers that are told are kept. */
function createCounter ({ keeps = true } = {}) {
  const slots = new Map()
  const told = new Map()
  const pages = []
  const asked = { intern: 0, internKnown: 0, knowSite: 0, knowProps: 0, forget: 0 }
  const intern = (values) => {
    if (!slots.has(values)) slots.set(values, slots.size)
    return slots.get(values)
  }
  const know = (number, values) => { if (keeps) told.set(number, values) }
  const counter = {
    intern: (values) => { asked.intern++; return intern(values) },
    knowSite: (number, values) => { asked.knowSite++; know(number, values) },
    knowProps: (number, values) => { asked.knowProps++; know(number, values) },
    internKnown: (site, object, parent, props) => {
      asked.internKnown++
      if (!told.has(site) || (props !== 0 && !told.has(props))) return -1
      const ids = [object, parent].map((id) => (id < 0 ? '' : id) + '\x1f').join('')
      return intern(told.get(site) + ids + (told.get(props) ?? ''))
    },
    forget: () => { asked.forget++; told.clear() },
    createCells: (index) => (pages[index] = new Float64Array(4096))
  }
  const counts = () => new Map([...slots].map(([values, slot]) => [values.split('\x1f').slice(0, -1), pages[slot >>> 12][slot & 4095]]))
  return { counter, asked, counts }
}

function traceInto (counter, options) {
  return createTrace(counter, { allowedProps: [], places: [], omitLabels: [], maxLabelValueLength: 1024, cacheLimit: 1000, ...options })
}

test('what is told by number is not asked for by text', () => {
  const { counter, asked, counts } = createCounter()
  const { trace } = traceInto(counter, { allowedProps: ['a'], places: [0] })
  for (let round = 0; round < 3; round++) {
    for (let id = 1; id <= 10; id++) trace(payload({ object: { id }, caller: { props: { a: id % 2 } } }))
  }
  assert.deepEqual(asked, { intern: 0, internKnown: 10, knowSite: 1, knowProps: 2, forget: 0 })
  assert.deepEqual([...counts().values()], Array(10).fill(3))
})

test('where numbers are not kept, each label set is asked for by text, once', () => {
  const { counter, asked, counts } = createCounter({ keeps: false })
  const { trace } = traceInto(counter, { allowedProps: ['a'], places: [0] })
  for (let round = 0; round < 3; round++) {
    for (let id = 1; id <= 10; id++) trace(payload({ object: { id }, caller: { props: { a: 'x' } } }))
  }
  assert.deepEqual(asked, { intern: 10, internKnown: 1, knowSite: 1, knowProps: 1, forget: 0 })
  assert.deepEqual([...counts().values()], Array(10).fill(3))
})

test('a number that was told to a counter that has forgotten leads to the same slot', () => {
  const { counter, asked, counts } = createCounter()
  const { trace } = traceInto(counter)
  trace(payload({ object: { id: 1 } }))
  counter.forget()
  trace(payload({ object: { id: 2 } }))
  trace(payload({ object: { id: 1 } }))
  assert.equal(asked.intern, 1)
  assert.deepEqual([...counts().values()], [2, 1])
})

test('what is remembered is dropped when it outgrows its limit, and Rust is told', () => {
  const { counter, asked, counts } = createCounter()
  const { trace } = traceInto(counter)
  for (let id = 1; id <= 5000; id++) trace(payload({ object: { id } }))
  assert.ok(asked.forget >= 4 && asked.forget <= 6, `${asked.forget} times`)
  assert.equal(asked.knowSite, asked.forget + 1)
  assert.equal(counts().size, 5000)
})

test('one series called at ever new places takes no more than the limit', () => {
  const { counter, asked, counts } = createCounter()
  const { trace } = traceInto(counter)
  for (let line = 1; line <= 5000; line++) trace(payload({ caller: { line } }))
  assert.ok(asked.forget > 20, `${asked.forget} times`)
  assert.deepEqual([...counts().values()], [5000])
})

test('a label set has as many values as there are labels, however it was asked for', () => {
  for (const id of [5, 'five']) {
    const { counter, counts } = createCounter()
    const { trace } = traceInto(counter, { allowedProps: ['a', 'b'], places: [0, 1] })
    trace(payload({ object: { id }, caller: { props: { b: 'x' } } }))
    const [[values]] = counts()
    assert.deepEqual(values.slice(5), [String(id), '', '', '', '', '', '', 'x'])
    assert.equal(values.length, LABELS + 3 * 2)
  }
})

test('a value whose text is made by a traced call is counted once, and so is that call', () => {
  const { counter, counts } = createCounter()
  const { trace } = traceInto(counter, { allowedProps: ['a', 'b'], places: [0, 1] })
  const inner = () => payload({ object: { id: 2 }, caller: { props: { a: 'inner', b: 'more' } } })
  let calls = 0
  const value = { toString: () => { calls++; trace(inner()); return 'outer' } }
  for (let round = 0; round < 3; round++) trace(payload({ object: { id: 1 }, caller: { props: { a: 'first', b: value } } }))
  const byObject = new Map([...counts()].map(([values, count]) => [values[5], { props: values.slice(-2), count }]))
  assert.deepEqual(byObject.get('1'), { props: ['first', 'outer'], count: 3 })
  assert.deepEqual(byObject.get('2'), { props: ['inner', 'more'], count: calls })
  assert.ok(calls >= 3)
  assert.equal(byObject.size, 2)
})
