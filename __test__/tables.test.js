'use strict'

/*
 * Compares the tables of the trace path with a Map. The integers of a key are chosen from few values, so that keys repeat, or differ
 * only in one integer, in order or in length. There are so many keys that the tables grow.
 */

const assert = require('node:assert/strict')
const test = require('node:test')
const { Key, KeyTable } = require('../lib/trace/key-table')
const TripleTable = require('../lib/trace/triple-table')
const { createRandom } = require('./support/random')

const ENTRIES = 20_000
const EDGES = [0, 1, -1, -2, 0x7fffffff, -0x80000000]

/** Returns one of 150 integers, some at the ends of their range. */
function integerOf (random) {
  const n = random(150)
  return n < EDGES.length ? EDGES[n] : n % 2 ? n : -n
}

test('three integers have the value that was added for them, and other integers have none', () => {
  const random = createRandom(1).below
  const table = new TripleTable()
  const model = new Map()
  for (let n = 0; n < ENTRIES; n++) {
    const [a, b, c] = [integerOf(random), integerOf(random), integerOf(random)]
    const expected = model.get(`${a} ${b} ${c}`) ?? -1
    assert.equal(table.get(a, b, c), expected)
    if (expected !== -1) continue
    model.set(`${a} ${b} ${c}`, n)
    table.add(a, b, c, n)
  }
  for (const [key, value] of model) {
    const [a, b, c] = key.split(' ').map(Number)
    assert.equal(table.get(a, b, c), value)
  }
  assert.equal(table.size, model.size)
  assert.ok(model.size > ENTRIES / 2 && model.size < ENTRIES, `${model.size} of ${ENTRIES} keys were new`)
})

test('a list of integers has the value that was added for it, and other lists have none', () => {
  const random = createRandom(2).below
  const table = new KeyTable()
  const model = new Map()
  const key = new Key(9)
  const fill = ([first, ...rest]) => {
    key.start(first)
    for (let i = 0; i < rest.length; i += 2) key.push(rest[i], rest[i + 1])
    return key
  }
  for (let n = 0; n < ENTRIES; n++) {
    const pairs = random(5)
    const list = Array.from({ length: 1 + 2 * pairs }, () => pairs === 4 ? random(3) : random(10) - 5)
    const expected = model.get(list.join(' ')) ?? -1
    assert.equal(table.get(fill(list)), expected)
    if (expected !== -1) continue
    model.set(list.join(' '), n)
    table.add(fill(list), n)
  }
  for (const [list, value] of model) assert.equal(table.get(fill(list.split(' ').map(Number))), value)
  assert.equal(table.size, model.size)
  assert.ok(model.size > ENTRIES / 4 && model.size < ENTRIES, `${model.size} of ${ENTRIES} keys were new`)
})

test('a table that was cleared has no entries', () => {
  const triples = new TripleTable()
  const lists = new KeyTable()
  const key = new Key(1)
  for (let n = 0; n < 1000; n++) {
    triples.add(n, 1, 2, n)
    key.start(n)
    lists.add(key, n)
  }
  triples.clear()
  lists.clear()
  assert.equal(triples.size + lists.size, 0)
  for (let n = 0; n < 1000; n++) {
    key.start(n)
    assert.deepEqual([triples.get(n, 1, 2), lists.get(key)], [-1, -1])
  }
})
