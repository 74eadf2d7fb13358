'use strict'

/*
 * What is left after stop(), and what grows: nothing. Each part runs in a process of its own, as
 * memory and handles are the whole process's.
 *
 * LEAK_CYCLES and LEAK_SCRAPES ask for longer runs than the usual: 10000 and 100000.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')

const { createScraper } = require('./leaks/scraper')
const { startProgram } = require('./support/program')

const CYCLES = Number(process.env.LEAK_CYCLES ?? 500)
const SCRAPES = Number(process.env.LEAK_SCRAPES ?? 5000)
const LIMIT_MS = 60_000 + 50 * CYCLES + 10 * SCRAPES

// V8 doubles its room for young objects now and then, up to 32 MB: growth that is nobody's leak.
const NODE_OPTIONS = ['--expose-gc', '--no-warnings', '--max-semi-space-size=1']

/** One of the programs in leaks/. */
function start (t, name, args = []) {
  return startProgram(t, path.join(__dirname, 'leaks', `${name}.js`), args.map(String), { nodeOptions: NODE_OPTIONS })
}

async function endWell (program) {
  const { code, signal, stderr } = await program.ended(LIMIT_MS)
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
}

/** What one of them has measured. */
async function measure (t, name, args = []) {
  const program = start(t, name, args)
  await endWell(program)
  return JSON.parse(program.lines.at(-1).text)
}

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1)

const options = { timeout: LIMIT_MS + 10_000 }

for (const kind of ['own', 'register']) {
  test(`after stop() no thread, descriptor, handle, timer, observer or reference is left (${kind})`, options, async (t) => {
    const { before, running, after, alive } = await measure(t, 'stopped', [kind])
    assert.deepEqual(after, before)
    assert.equal(running.observers, before.observers + 1, 'the collector is observed while it runs')
    assert.equal(running.monitors, before.monitors + 1, 'and the loop')
    assert.ok(running.timers > before.timers, 'the observers and the server have timers')
    assert.deepEqual(alive, { traceFunction: false, register: false })
    if (process.platform !== 'linux') return
    assert.deepEqual(running.serverThreads, ['hypertrace-http'])
    assert.ok(running.descriptors.length > before.descriptors.length)
  })
}

// Growth is taken after a warm-up. The bounds leave room for what an allocator keeps, and per turn for less than anything that a turn
// makes: an exporter's page has 32 kB, a connection's buffers more. At the usual numbers only such a leak shows; a longer run, where
// the first part of the bound counts for little, shows smaller ones.
const ROOM = (process.platform === 'linux' ? 4 : 8) * 2 ** 20

test(`${CYCLES} starts and stops leave memory, threads and descriptors as they were`, options, async (t) => {
  const { rss, heap, before, after } = await measure(t, 'cycles', [CYCLES])
  t.diagnostic(`${CYCLES} cycles: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after, before)
  assert.ok(heap < 2 ** 20 + 512 * CYCLES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < ROOM + 1024 * CYCLES, `resident memory: ${megabytes(rss)} MB`)
})

// The scraper is another process, this one: what grows is the exporter's.
test(`${SCRAPES} scrapes leave memory, threads and descriptors as they were`, options, async (t) => {
  const program = start(t, 'scrapes')
  const [, port] = await program.line(/^port (\d+)$/)
  const { scrapes, end } = createScraper(Number(port))
  const has = async (least = null) => {
    program.say(JSON.stringify(least))
    return JSON.parse((await program.line(/^has (.*)$/))[1])
  }
  await scrapes(Math.max(1000, SCRAPES / 4))
  const before = await has()
  await scrapes(SCRAPES)
  const after = await has(before.holds)
  end()
  program.child.stdin.end()
  await endWell(program)
  const [rss, heap] = [after.rss - before.rss, after.heap - before.heap]
  t.diagnostic(`${SCRAPES} scrapes: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after.holds, before.holds)
  assert.ok(heap < 2 ** 20 + 8 * SCRAPES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < ROOM + 16 * SCRAPES, `resident memory: ${megabytes(rss)} MB`)
})

test('a million short-lived objects without their ids cost no memory', options, async (t) => {
  const { heap, series, total, objects } = await measure(t, 'objects')
  t.diagnostic(`${objects} objects: the heap grew by ${megabytes(heap)} MB`)
  assert.equal(series, 2)
  assert.equal(total, objects)
  assert.ok(heap < 2 ** 20, `${megabytes(heap)} MB, about one byte for each object`)
})

test('300,000 label sets at a bound of 1,000 stay bounded, and no count is lost', options, async (t) => {
  const { rss, series, collapsed, total, byClass, byFunction, expected } = await measure(t, 'bound')
  t.diagnostic(`${series} series: resident memory grew by ${megabytes(rss)} MB`)
  assert.ok(series <= 1000, `${series} series`)
  assert.ok(collapsed > 0, 'the bound was met')
  assert.equal(total, 300_000)
  assert.deepEqual(byClass, expected.byClass)
  assert.deepEqual(byFunction, expected.byFunction)
  assert.ok(rss < 60 * 2 ** 20, `${megabytes(rss)} MB`)
})

test('nothing of a payload is held: objects that were traced are collected', options, async (t) => {
  const { alive, counted } = await measure(t, 'payloads')
  assert.equal(counted, 1000)
  assert.equal(alive, 0)
})
