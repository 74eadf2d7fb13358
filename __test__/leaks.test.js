'use strict'

/*
 * Checks that nothing remains after stop() and that memory does not grow. Each program runs in its own
 * process, because memory and handles belong to the process.
 *
 * LEAK_CYCLES and LEAK_SCRAPES set the length of a run, for example 10000 and 100000.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')

const { createScraper } = require('./leaks/scraper')
const { startProgram } = require('./support/program')

const CYCLES = Number(process.env.LEAK_CYCLES ?? 500)
const SCRAPES = Number(process.env.LEAK_SCRAPES ?? 5000)
const LIMIT_MS = 60_000 + 50 * CYCLES + 10 * SCRAPES

// V8 doubles its young generation now and then, up to 32 MB: this growth is not a leak.
const NODE_OPTIONS = ['--expose-gc', '--no-warnings', '--max-semi-space-size=1']

/** Starts one of the programs in leaks/. */
function start (t, name, args = []) {
  return startProgram(t, path.join(__dirname, 'leaks', `${name}.js`), args.map(String), { nodeOptions: NODE_OPTIONS })
}

async function endsCleanly (program) {
  const { code, signal, stderr } = await program.ended(LIMIT_MS)
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
}

/** Returns the measurements of one of them. */
async function measure (t, name, args = []) {
  const program = start(t, name, args)
  await endsCleanly(program)
  return JSON.parse(program.lines.at(-1).text)
}

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1)

const options = { timeout: LIMIT_MS + 10_000 }

for (const kind of ['own', 'register']) {
  test(`no thread, descriptor, handle, timer, observer or reference remains after stop() (${kind})`, options, async (t) => {
    const { before, running, after, alive } = await measure(t, 'stopped', [kind])
    assert.deepEqual(after, before)
    assert.equal(running.observers, before.observers + 1, 'garbage collections are observed')
    assert.equal(running.monitors, before.monitors + 1, 'the event loop is observed')
    assert.ok(running.timers > before.timers, 'observers and server have timers')
    assert.deepEqual(alive, { traceFunction: false, register: false })
    if (process.platform !== 'linux') return
    assert.deepEqual(running.serverThreads, ['hypertrace-http'])
    assert.ok(running.descriptors.length > before.descriptors.length)
  })
}

// Growth is measured after a warm-up. The limits allow a fixed amount for the reserve of an allocator, and for each turn less than
// the smallest object that a turn makes: a cell block of an exporter has 32 kB, the buffers of a connection have more. A longer run,
// in which the fixed amount matters less, finds smaller leaks.
const RESERVE = (process.platform === 'linux' ? 4 : 8) * 2 ** 20

test(`memory, threads and descriptors do not grow over ${CYCLES} starts and stops`, options, async (t) => {
  const { rss, heap, before, after } = await measure(t, 'cycles', [CYCLES])
  t.diagnostic(`${CYCLES} cycles: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after, before)
  assert.ok(heap < 2 ** 20 + 512 * CYCLES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < RESERVE + 1024 * CYCLES, `resident memory: ${megabytes(rss)} MB`)
})

// The scraper runs in this process and the exporter in another: any growth there is the exporter's.
test(`memory, threads and descriptors do not grow over ${SCRAPES} scrapes`, options, async (t) => {
  const program = start(t, 'scrapes')
  const [, port] = await program.line(/^port (\d+)$/)
  const { scrapes, end } = createScraper(Number(port))
  const usage = async (expected = null) => {
    program.say(JSON.stringify(expected))
    return JSON.parse((await program.line(/^usage (.*)$/))[1])
  }
  await scrapes(Math.max(1000, SCRAPES / 4))
  const before = await usage()
  await scrapes(SCRAPES)
  const after = await usage(before.resources)
  end()
  program.child.stdin.end()
  await endsCleanly(program)
  const [rss, heap] = [after.rss - before.rss, after.heap - before.heap]
  t.diagnostic(`${SCRAPES} scrapes: resident memory grew by ${megabytes(rss)} MB, the heap by ${megabytes(heap)} MB`)
  assert.deepEqual(after.resources, before.resources)
  assert.ok(heap < 2 ** 20 + 8 * SCRAPES, `heap: ${megabytes(heap)} MB`)
  assert.ok(rss < RESERVE + 16 * SCRAPES, `resident memory: ${megabytes(rss)} MB`)
})

test('a million short-lived objects without their ids use no memory', options, async (t) => {
  const { heap, series, total, objects } = await measure(t, 'objects')
  t.diagnostic(`${objects} objects: the heap grew by ${megabytes(heap)} MB`)
  assert.equal(series, 2)
  assert.equal(total, objects)
  assert.ok(heap < 2 ** 20, `${megabytes(heap)} MB, about one byte for each object`)
})

test('300,000 label sets at a maximum of 1,000 series use bounded memory, and the counts are exact', options, async (t) => {
  const { rss, series, collapsed, total, byClass, byFunction, expected } = await measure(t, 'bound')
  t.diagnostic(`${series} series: resident memory grew by ${megabytes(rss)} MB`)
  assert.ok(series <= 1000, `${series} series`)
  assert.ok(collapsed > 0, 'the maximum was reached')
  assert.equal(total, 300_000)
  assert.deepEqual(byClass, expected.byClass)
  assert.deepEqual(byFunction, expected.byFunction)
  assert.ok(rss < 60 * 2 ** 20, `${megabytes(rss)} MB`)
})

test('traced objects are garbage collected', options, async (t) => {
  const { alive, counted } = await measure(t, 'payloads')
  assert.equal(counted, 1000)
  assert.equal(alive, 0)
})
