'use strict'

/*
 * Measures the costs of a call, a series and a scrape in numbers of calls and bytes. These are the same on any machine, as no
 * test reads a clock. Each measurement runs in a process of its own, because nothing else may use the heap.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')

const CELLS = 4096

/** 50 kB in 100,000 calls, for the engine's own work. The smallest object would take 16 bytes a call. */
const MOST_BYTES_PER_CALL = 0.5

/** About twice the real figures (50 and 110 on x64 Linux): pages of memory are coarse, and engines differ. */
const MOST_BYTES_PER_SERIES = { '': 90, props: 200 }

/** The number of calls of each Rust function (except `createCells`) in the first calls of all series, for payloads that differ from the default. */
const FIRST = {
  'ids that are text': { interned: { intern: 1000 } },
  'four props': { defined: { defineProps: 1000 } },
  '500 classes, ids and parents at one position': { interned: { internDefined: 2000, defineSite: 2000 } }
}

function run (name, flags, ...args) {
  const file = path.join(__dirname, 'costs', name)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', ...flags, file, ...args], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

// The young generation holds the garbage of a round, so that no collection frees it before it is measured.
const { shapes, scrapes } = run('calls.js', ['--min-semi-space-size=64', '--max-semi-space-size=64'])

for (const [name, { series, first, cached, bytes, bytesWithAllocation }] of Object.entries(shapes)) {
  test(`a cached call does not call Rust, and so acquires no lock: ${name}`, () => {
    assert.deepEqual(cached, {})
  })

  test(`a cached call allocates nothing: ${name}`, () => {
    assert.ok(bytes < MOST_BYTES_PER_CALL, `${bytes} bytes a call`)
    assert.ok(bytesWithAllocation - bytes >= 16, `with one more object: ${bytesWithAllocation} bytes a call`)
  })

  test(`a first call calls Rust once, and once more for each new definition: ${name}`, () => {
    const { interned = { internDefined: series, defineSite: 1 }, defined } = FIRST[name] ?? {}
    assert.deepEqual(first, { ...interned, ...defined, createCells: Math.ceil(series / CELLS) })
  })
}

test('a scrape calls Rust once on the JavaScript thread, with any number of series', () => {
  assert.deepEqual(scrapes, [
    { lines: 1, calls: { deliver: 1 } },
    { lines: 20_000, calls: { deliver: 1 } }
  ])
})

for (const [kind, most] of Object.entries(MOST_BYTES_PER_SERIES)) {
  test(`a series${kind && ` with four ${kind}`} uses less than ${most} bytes in Rust and JavaScript together`, () => {
    const bytes = run('memory.js', [], kind)
    assert.ok(bytes > 24, `${bytes} bytes: the numbers of a series alone use 24`)
    assert.ok(bytes < most, `${bytes} bytes a series`)
  })
}
