'use strict'

/*
 * What a call, a series and a scrape cost, in counts and bytes, which are the same on any machine; nothing here looks at a clock.
 * Counted in processes of their own, whose heap nobody else uses.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')

const CELLS = 4096

/** 50 kB on 100,000 calls for what the engine itself does meanwhile. The smallest object would take 16 bytes a call. */
const MOST_BYTES_PER_CALL = 0.5

/** About twice what it is (42 and 99 on x64 Linux): pages of memory are coarse, and engines differ. */
const MOST_BYTES_PER_SERIES = { '': 90, props: 200 }

/** What the first calls of all series of a shape enter, besides lending pages, where it is not the usual. */
const FIRST = {
  'ids that are text': { asked: { intern: 1000 } },
  'four props': { told: { knowProps: 1000 } }
}

function run (name, flags, ...args) {
  const file = path.join(__dirname, 'costs', name)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', ...flags, file, ...args], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

// Room for a round of calls, so that no collection hides what a round leaves.
const { shapes, scrapes } = run('calls.js', ['--min-semi-space-size=64', '--max-semi-space-size=64'])

for (const [name, { series, first, known, bytes, wasted }] of Object.entries(shapes)) {
  test(`a known call enters Rust not once, and so takes no lock: ${name}`, () => {
    assert.deepEqual(known, {})
  })

  test(`a known call allocates nothing: ${name}`, () => {
    assert.ok(bytes < MOST_BYTES_PER_CALL, `${bytes} bytes a call`)
    assert.ok(wasted - bytes >= 16, `one object more a call shows as ${wasted} bytes`)
  })

  test(`a first call enters Rust once, and once more for what it is the first to tell: ${name}`, () => {
    const { asked = { internKnown: series, knowSite: 1 }, told } = FIRST[name] ?? {}
    assert.deepEqual(first, { ...asked, ...told, createCells: Math.ceil(series / CELLS) })
  })
}

test('a scrape enters Rust once on the JavaScript thread, however many series there are', () => {
  assert.deepEqual(scrapes, [
    { lines: 1, entered: { deliver: 1 } },
    { lines: 20_000, entered: { deliver: 1 } }
  ])
})

for (const [kind, most] of Object.entries(MOST_BYTES_PER_SERIES)) {
  test(`a series takes less than ${most} bytes, all told${kind && `, with four ${kind}`}`, () => {
    const bytes = run('memory.js', [], kind)
    assert.ok(bytes > 24, `${bytes} bytes: a series' numbers alone take 24`)
    assert.ok(bytes < most, `${bytes} bytes a series`)
  })
}
