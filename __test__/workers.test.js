'use strict'

/*
 * Tests worker threads on one page: joining, counting, the end of threads. `workers-page.test.js` tests the default metrics, and
 * `workers-churn.test.js` tests many threads one after another.
 */

const { test, describe, afterEach } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const os = require('node:os')
const path = require('node:path')
const { setImmediate: turn } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')
const { createExporters } = require('./support/exporters')
const { parse, seriesKey } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')
const { freePort } = require('./support/ports')
const { startThread } = require('./workers/threads')

const { start, stopAll } = createExporters()

afterEach(stopAll)

const PLAIN = { collectDefaults: false }
const count = (traceFunction, id) => traceFunction(payload({ id, object: { className: 'Counted' } }))

/** Returns the values of the counter by id. */
async function countsAt (port) {
  const { body } = await get({ port })
  return countsOn(body)
}

function countsOn (page) {
  const { samples } = parse(page).get('trace_counter')
  return Object.fromEntries(samples.map(({ labels, value }) => [labels.id, value]))
}

const sum = (values) => Object.values(values).reduce((all, value) => all + value, 0)

/** Starts a thread that joins a port. */
async function joined (t, port, options) {
  const thread = startThread(t)
  await thread.ask('join', { ...PLAIN, port, ...options })
  return thread
}

async function assertClosed (port) {
  await assert.rejects(get({ port }), { code: 'ECONNREFUSED' })
}

describe('counting', () => {
  test('the main thread and eight workers count millions of calls during scrapes: no series and no sum falls, the last page is exact', async (t) => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    const calls = os.availableParallelism() * 250_000
    const ids = ['shared', ...Array.from({ length: 40 }, (_, n) => `series ${n}`)]
    const threads = await Promise.all(Array.from({ length: 8 }, () => joined(t, port)))

    let counting = true
    const scrapes = watch(port, () => counting)
    const own = ids.slice(0, 10)
    const work = Promise.all(threads.map((thread, n) => thread.ask('count', { calls, ids: ids.slice(n) })))
    for (let n = 0; n < 100_000; n++) {
      count(traceFunction, own[n % own.length])
      if (n % 5000 === 0) await turn()
    }
    await work
    counting = false
    const seen = await scrapes
    assert.ok(seen.length > 3 && new Set(seen).size > 2, `${seen.length} scrapes`)

    const counts = await countsAt(port)
    assert.equal(sum(counts), 8 * calls + 100_000)
    for (const [at, id] of ids.entries()) {
      const times = (all, length, index) => Math.floor(all / length) + (all % length > index ? 1 : 0)
      const expected = threads.reduce((all, _, n) => all + (at >= n ? times(calls, ids.length - n, at - n) : 0), 0)
      assert.equal(counts[id], expected + (at < own.length ? 10_000 : 0), id)
    }
  })

  test('workers that are terminated during a count lose no reported call', async (t) => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    const ids = Array.from({ length: 20 }, (_, n) => `series ${n}`)
    let least = 0
    let running = true
    const scrapes = watch(port, () => running)
    for (let round = 0; round < 3; round++) {
      const threads = await Promise.all([joined(t, port), joined(t, port)])
      for (const thread of threads) thread.send('countForEver', { ids })
      for (const { progress, worker } of threads) {
        await until(() => Atomics.load(progress, 0) > 10_000, 'the thread counts')
        await worker.terminate()
        least += Atomics.load(progress, 0)
      }
      const counts = sum(await countsAt(port))
      assert.ok(counts >= least && counts <= least + 2 * (round + 1), `${counts} counted, ${least} reported`)
    }
    running = false
    await scrapes
  })

  const ends = {
    'a natural end': ['end', undefined, 0],
    'process.exit()': ['exit', 3, 3],
    'an uncaught error': ['fail', undefined, 1]
  }
  for (const [name, [command, argument, expected]] of Object.entries(ends)) {
    test(`after ${name} of a worker its counts stay, and other threads add to them`, async (t) => {
      const traceFunction = start({ port: 0 })
      const { port } = traceFunction.address()
      const thread = await joined(t, port)
      await thread.ask('count', { calls: 1000, ids: ['a', 'b'] })
      thread.send(command, argument)
      const { code, failure } = await thread.ended()
      assert.equal(code, expected)
      assert.equal(failure?.message, command === 'fail' ? 'not caught' : undefined)
      count(traceFunction, 'a')
      assert.deepEqual(await countsAt(port), { a: 501, b: 500 })
      const next = await joined(t, port)
      await next.ask('count', { calls: 10, ids: ['a'] })
      assert.deepEqual(await countsAt(port), { a: 511, b: 500 })
    })
  }

  test('a worker that stops leaves its counts on the page, and may join again', async (t) => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    const thread = await joined(t, port)
    await thread.ask('count', { calls: 5, ids: ['a'] })
    await thread.ask('stop')
    assert.equal(await thread.ask('address'), null)
    assert.deepEqual(await countsAt(port), { a: 5 })
    await thread.ask('count', { calls: 2, ids: ['a'] })
    await thread.ask('join', { ...PLAIN, port })
    await thread.ask('count', { calls: 3, ids: ['a'] })
    assert.deepEqual(await countsAt(port), { a: 10 })
    assert.equal((await thread.ask('address')).port, port)
  })
})

describe('joining', () => {
  const shared = {
    metricName: 'other_counter',
    allowedProps: ['a'],
    omitLabels: ['object_id'],
    defaultLabels: { region: 'b' },
    maxSeries: 7,
    seriesIdleTimeout: 60_000,
    maxLabelValueLength: 10,
    collectDefaults: true,
    prefix: 'my_',
    host: '127.0.0.1'
  }
  // These are the options of the thread that serves the port.
  const started = {
    metricName: 'trace_counter',
    allowedProps: [],
    omitLabels: [],
    defaultLabels: [['region', 'a']],
    maxSeries: 50_000,
    seriesIdleTimeout: 0,
    maxLabelValueLength: 1024,
    collectDefaults: false,
    prefix: ''
  }
  test('with another value of a shared option fails with an error that names the option and the value, and leaves nothing behind', async (t) => {
    const traceFunction = start({ port: 0, defaultLabels: { region: 'a' } })
    const { port } = traceFunction.address()
    const thread = startThread(t)
    for (const [option, value] of Object.entries(shared)) {
      const options = { ...PLAIN, port, defaultLabels: { region: 'a' }, [option]: value }
      await assert.rejects(thread.ask('join', options), (error) => {
        assert.equal(error.code, 'ERR_INVALID_ARG_VALUE', option)
        const theirs = option === 'host' ? 'the same as' : `${JSON.stringify(started[option])}, as`
        assert.ok(error.message.startsWith(`The "${option}" option must be ${theirs} in the thread that serves port ${port}. Received `), error.message)
        return true
      })
    }
    await thread.ask('join', { ...PLAIN, port, defaultLabels: { region: 'a' } })
    thread.send('end')
    assert.deepEqual(await thread.ended(), { code: 0, failure: undefined }, 'no resource keeps the thread alive')
  })

  test('accepts lists of labels in any order', async (t) => {
    const options = { omitLabels: ['object_id', 'id'], defaultLabels: { a: '1', b: 2 } }
    const { port } = start({ port: 0, ...options }).address()
    await joined(t, port, { omitLabels: ['id', 'object_id'], defaultLabels: { b: '2', a: 1 } })
  })

  test('accepts the port as a string, as in an environment variable', async (t) => {
    const { port } = start({ port: 0 }).address()
    const thread = await joined(t, String(port))
    assert.equal((await thread.ask('address')).port, port)
  })

  test('for a second time in one thread, or from another process, fails with EADDRINUSE and a hint', async (t) => {
    const { port } = start({ port: 0 }).address()
    const hint = `listen EADDRINUSE: address already in use 127.0.0.1:${port}. Another program, or another exporter of this thread, ` +
      `has the port: lsof -i :${port} (Windows: netstat -ano) shows which. Processes of one application share a port if each sets cluster: true. Port 0 selects a free one`
    const expected = { code: 'EADDRINUSE', syscall: 'listen', port, message: hint }
    assert.throws(() => start({ port }), expected)
    const thread = await joined(t, port)
    await assert.rejects(thread.ask('join', { ...PLAIN, port }), { code: 'EADDRINUSE', message: hint })
    assert.throws(() => start({ port }), expected)

    const program = startProgram(t, path.join(__dirname, 'workers', 'other-process.js'), [String(port)])
    assert.deepEqual((await program.line(/^main (.*)$/))[1], hint)
    assert.deepEqual((await program.line(/^worker (.*)$/))[1], hint)
    assert.equal((await program.ended()).code, 0)
  })

  test('at the same moment: one of eight workers opens the port, the others join, none fails', async (t) => {
    for (let round = 0; round < 3; round++) {
      const port = await freePort()
      const threads = Array.from({ length: 8 }, () => startThread(t))
      const asked = threads.map((thread) => thread.ask('race', { ...PLAIN, port }))
      for (const thread of threads) thread.release()
      await Promise.all(asked)
      await Promise.all(threads.map((thread) => thread.ask('count', { calls: 100, ids: ['same'] })))
      assert.deepEqual(await countsAt(port), { same: 800 })
      await Promise.all(threads.map(({ worker }) => worker.terminate()))
      await assertClosed(port)
    }
  })

  test('works for the main thread too, if a worker opened the port', async (t) => {
    const port = await freePort()
    const opener = await joined(t, port)
    const traceFunction = start({ port })
    assert.equal(traceFunction.address().port, port)
    count(traceFunction, 'a')
    await opener.ask('count', { calls: 4, ids: ['a'] })
    assert.deepEqual(await countsAt(port), { a: 5 })
    await traceFunction.stop()
    assert.deepEqual(await countsAt(port), { a: 5 }, 'stop() of a joined thread does not close the port')
    await opener.ask('stop')
    await assertClosed(port)
  })
})

describe('the end of a shared server', () => {
  test('stop() in the thread that opened the port closes it; the others may keep counting', async (t) => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    const thread = await joined(t, port)
    await traceFunction.stop()
    await assertClosed(port)
    assert.equal(await thread.ask('address'), null)
    await thread.ask('count', { calls: 1000, ids: ['a'] })
    assert.deepEqual(countsOn(await thread.ask('metrics')), { a: 1000 })
    await thread.ask('stop')
    await thread.ask('join', { ...PLAIN, port })
    assert.deepEqual(await countsAt(port), {}, 'the port is free, and the next counter is empty')
  })

  test('stop() in a joined thread does not close the port', async (t) => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    const threads = await Promise.all([joined(t, port), joined(t, port)])
    await threads[0].ask('stop')
    await threads[0].ask('stop')
    assert.deepEqual(await countsAt(port), {})
    await threads[1].ask('count', { calls: 1, ids: ['a'] })
    assert.deepEqual(await countsAt(port), { a: 1 })
  })

  for (const way of ['terminate', 'exit', 'fail']) {
    test(`after the opener ends without stop() (${way}) the others keep the port, and the last one closes it`, async (t) => {
      const port = await freePort()
      const opener = await joined(t, port)
      const others = await Promise.all([joined(t, port), joined(t, port)])
      await opener.ask('count', { calls: 7, ids: ['a'] })
      if (way === 'terminate') await opener.worker.terminate()
      else opener.send(way, 0)
      await opener.ended()

      assert.deepEqual(await countsAt(port), { a: 7 })
      const late = await joined(t, port)
      await late.ask('count', { calls: 1, ids: ['a'] })
      await others[0].ask('stop')
      await others[1].worker.terminate()
      assert.deepEqual(await countsAt(port), { a: 8 })
      late.send('end')
      assert.equal((await late.ended()).code, 0)
      await assertClosed(port)
      await (await joined(t, port)).worker.terminate()
      await assertClosed(port)
    })
  }

  test('a worker may open a port that the end of another worker has just closed', async (t) => {
    const port = await freePort()
    let last = await joined(t, port)
    for (let round = 0; round < 10; round++) {
      const next = startThread(t)
      const asked = next.ask('race', { ...PLAIN, port })
      const ended = last.worker.terminate()
      next.release()
      await Promise.all([asked, ended])
      last = next
    }
  })

  test('joining a port does not keep a worker alive, not even after ref()', async (t) => {
    const { port } = start({ port: 0 }).address()
    const worker = new Worker(path.join(__dirname, 'workers', 'join-and-return.js'), { workerData: { port } })
    t.after(() => worker.terminate())
    assert.deepEqual(await once(worker, 'exit'), [0])
    assert.deepEqual(await countsAt(port), { returned: 1 })
  })

  for (const way of ['exit', 'end', 'fail', 'stop']) {
    test(`a process with eight threads ends normally during scrapes (${way})`, async (t) => {
      const program = startProgram(t, path.join(__dirname, 'workers', 'many.js'), [way])
      const [, port] = await program.line(/^at (\d+)$/)
      const ended = program.ended()
      let answers = 0
      const scraping = (async () => {
        while (program.child.exitCode === null && program.child.signalCode === null) {
          await get({ port: Number(port) }).then(() => { answers++ }, () => {})
          if (answers === 1) program.say('go')
        }
      })()
      const { code, signal, stderr } = await ended
      await scraping
      assert.deepEqual({ code, signal }, { code: { exit: 7, end: 0, fail: 1, stop: 0 }[way], signal: null }, stderr)
      await assertClosed(Number(port))
    })
  }
})

/**
 * Scrapes repeatedly while `continues()` is true; fails if a series disappears, or if a series or the sum falls.
 *
 * @returns {Promise<number[]>} the sums
 */
async function watch (port, continues) {
  const sums = []
  const last = new Map()
  while (continues()) {
    const { body } = await get({ port })
    const { samples } = parse(body).get('trace_counter')
    assert.ok(samples.length >= last.size, 'a series has disappeared')
    for (const sample of samples) {
      const key = seriesKey(sample)
      assert.ok(sample.value >= (last.get(key) ?? 0), `${key} fell from ${last.get(key)} to ${sample.value}`)
      last.set(key, sample.value)
    }
    sums.push(samples.reduce((all, { value }) => all + value, 0))
    await turn()
  }
  for (let n = 1; n < sums.length; n++) assert.ok(sums[n] >= sums[n - 1], `the sum fell from ${sums[n - 1]} to ${sums[n]}`)
  return sums
}
