'use strict'

/*
 * Tests that nothing remains after stop(), and that nothing grows. Each case runs in a process of its own, because memory and
 * handles belong to the whole process.
 *
 * LEAK_CYCLES and LEAK_SCRAPES in the environment make the runs longer, for example 10000 and 100000.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')

const { createScraper } = require('./leaks/scraper')
const { startProgram } = require('./support/program')

const CYCLES = Number(process.env.LEAK_CYCLES ?? 500)
const SCRAPES = Number(process.env.LEAK_SCRAPES ?? 5000)
const LIMIT_MS = 60_000 + 50 * CYCLES + 10 * SCRAPES

// Without the limit V8 grows its young generation up to 32 MB, which is no leak.
const NODE_OPTIONS = ['--expose-gc', '--no-warnings', '--max-semi-space-size=1']

/** Starts a program of the folder `leaks`. */
function start (t, name, args = []) {
  return startProgram(t, path.join(__dirname, 'leaks', `${name}.js`), args.map(String), { nodeOptions: NODE_OPTIONS })
}

async function assertCleanEnd (program) {
  const { code, signal, stderr } = await program.ended(LIMIT_MS)
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
}

/** Runs a program of the folder `leaks`, and returns the value of its last line, which is JSON. */
async function measure (t, name, args = []) {
  const program = start(t, name, args)
  await assertCleanEnd(program)
  return JSON.parse(program.lines.at(-1).text)
}

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1)

const options = { timeout: LIMIT_MS + 10_000 }

for (const kind of ['own', 'register']) {
  test(`after stop() no thread, descriptor, handle, timer, observer or reference remains (${kind})`, options, async (t) => {
    const { before, running, after, alive } = await measure(t, 'stopped', [kind])
    assert.deepEqual(after, before)
    assert.equal(running.observers, before.observers + 1, 'the garbage collector is observed while the exporter runs')
    assert.equal(running.monitors, before.monitors + 1, 'the event loop is monitored while the exporter runs')
    assert.ok(running.timers > before.timers, 'the observers and the server have timers')
    assert.deepEqual(alive, { traceFunction: false, register: false })
    if (process.platform !== 'linux') return
    assert.deepEqual(running.serverThreads, ['hypertrace-http'])
    assert.ok(running.descriptors.length > before.descriptors.length)
  })
}

// Growth is measured after a warm-up. A limit has a constant for the memory that allocators do not return, and an amount for each
// cycle. This amount is smaller than each allocation of a cycle: a cell block has 32 kB, and the buffers of a connection have more.
// The default runs find only leaks of this size. In a longer run the constant is less important, so that smaller leaks are found too.
const ALLOCATOR_BYTES = (process.platform === 'linux' ? 4 : 8) * 2 ** 20

test(`${CYCLES} starts and stops leave memory, threads and descriptors as they were`, options, async (t) => {
  const { rss, heap, before, after } = await measure(t, 'cycles', [CYCLES])
  t.diagnostic(`${CYCLES} cycles: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after, before)
  assert.ok(heap < 2 ** 20 + 512 * CYCLES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < ALLOCATOR_BYTES + 1024 * CYCLES, `resident memory: ${megabytes(rss)} MB`)
})

// The scraper runs in this process, so that only the exporter can grow in the measured process.
test(`${SCRAPES} scrapes leave memory, threads and descriptors as they were`, options, async (t) => {
  const program = start(t, 'scrapes')
  const [, port] = await program.line(/^port (\d+)$/)
  const { scrapes, end } = createScraper(Number(port))
  const holdings = async (expected = null) => {
    program.say(JSON.stringify(expected))
    return JSON.parse((await program.line(/^holds (.*)$/))[1])
  }
  await scrapes(Math.max(1000, SCRAPES / 4))
  const before = await holdings()
  await scrapes(SCRAPES)
  const after = await holdings(before.holds)
  end()
  program.child.stdin.end()
  await assertCleanEnd(program)
  const [rss, heap] = [after.rss - before.rss, after.heap - before.heap]
  t.diagnostic(`${SCRAPES} scrapes: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after.holds, before.holds)
  assert.ok(heap < 2 ** 20 + 8 * SCRAPES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < ALLOCATOR_BYTES + 16 * SCRAPES, `resident memory: ${megabytes(rss)} MB`)
})

test('a million short-lived objects whose ids are omitted need no memory', options, async (t) => {
  const { heap, series, total, objects } = await measure(t, 'objects')
  t.diagnostic(`${objects} objects: the heap grew by ${megabytes(heap)} MB`)
  assert.equal(series, 2)
  assert.equal(total, objects)
  assert.ok(heap < 2 ** 20, `${megabytes(heap)} MB, about one byte for each object`)
})

test('300,000 label sets with maxSeries 1,000 stay bounded, and no count is lost', options, async (t) => {
  const { rss, series, collapsed, total, byClass, byFunction, expected } = await measure(t, 'bound')
  t.diagnostic(`${series} series: resident memory grew by ${megabytes(rss)} MB`)
  assert.ok(series <= 1000, `${series} series`)
  assert.ok(collapsed > 0, 'the bound was reached')
  assert.equal(total, 300_000)
  assert.deepEqual(byClass, expected.byClass)
  assert.deepEqual(byFunction, expected.byFunction)
  assert.ok(rss < 60 * 2 ** 20, `${megabytes(rss)} MB`)
})

test('no part of a payload is retained: traced objects are garbage-collected', options, async (t) => {
  const { alive, counted } = await measure(t, 'payloads')
  assert.equal(counted, 1000)
  assert.equal(alive, 0)
})
