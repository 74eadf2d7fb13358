'use strict'

/*
 * Tests worker threads on one page: the default metrics of each thread, blocked threads, registers, expiry.
 */

const { test, describe, afterEach } = require('node:test')
const assert = require('node:assert/strict')
const { Registry } = require('prom-client')
const { createExporters } = require('./support/exporters')
const { parse, valueOf } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { until } = require('./support/until')
const { startThread } = require('./workers/threads')

const { start, stopAll } = createExporters()

afterEach(stopAll)

const FULL = { collectDefaults: true }
const count = (traceFunction, id) => traceFunction(payload({ id, object: { className: 'Counted' } }))

async function pageAt (port) {
  return parse((await get({ port })).body)
}

/** Starts a thread that joins a port. */
async function joined (t, port, options = FULL) {
  const thread = startThread(t)
  const id = await thread.ask('join', { port, ...options })
  return { ...thread, id: String(id) }
}

const named = (page, prefix) => [...page.values()].filter(({ name }) => name.startsWith(prefix))
const workersOf = (family) => new Set(family.samples.map(({ labels }) => labels.worker))
const valueById = (page, id) => page.get('trace_counter').samples.find(({ labels }) => labels.id === id)?.value

describe('the metrics of Node.js', () => {
  test('are on the page for each joined thread, and the metrics of the process are on it once', async (t) => {
    const { port } = start({ port: 0, ...FULL }).address()
    const alone = await pageAt(port)
    const threads = [await joined(t, port), await joined(t, port)]
    const page = await pageAt(port)

    assert.deepEqual([...page.keys()], [...alone.keys()])
    const everyThread = new Set([undefined, ...threads.map(({ id }) => id)])
    for (const family of [...named(page, 'nodejs_'), page.get('hypertrace_sample_age_seconds')]) {
      // A thread without a garbage collection or an open request has no sample in some families.
      if (family.samples.length === 0 || /gc|requests$|handles$|resources$|lag_/.test(family.name)) continue
      assert.deepEqual(workersOf(family), everyThread, family.name)
    }
    for (const family of named(page, 'process_')) {
      assert.deepEqual(family.samples.map(({ labels }) => labels), [{}], family.name)
    }
    for (const { id } of threads) {
      const heap = valueOf(page, 'nodejs_heap_size_used_bytes', { worker: id })
      assert.ok(heap > 0 && heap !== valueOf(page, 'nodejs_heap_size_used_bytes'), 'each thread has its own heap')
    }
  })

  test('of a worker disappear from the page when it ends or stops', async (t) => {
    const { port } = start({ port: 0, ...FULL }).address()
    const [ends, stops, stays] = [await joined(t, port), await joined(t, port), await joined(t, port)]
    await pageAt(port)
    await ends.worker.terminate()
    await stops.ask('stop')
    const page = await pageAt(port)
    for (const family of named(page, 'nodejs_')) {
      for (const worker of workersOf(family)) assert.ok([undefined, stays.id].includes(worker), `${family.name} of ${worker}`)
    }
    assert.deepEqual(workersOf(page.get('nodejs_version_info')), new Set([undefined, stays.id]))
  })

  test('have the label of the worker, also if the worker opened the port and the main thread joined', async (t) => {
    const opener = await joined(t, 0)
    const { port } = await opener.ask('address')
    start({ port, ...FULL })
    const page = await pageAt(port)
    assert.deepEqual(workersOf(page.get('nodejs_version_info')), new Set([undefined, opener.id]))
  })

  test('need the label "worker": joining with a default label of that name is an error', async (t) => {
    const options = { ...FULL, defaultLabels: { worker: '1' } }
    const { port } = start({ port: 0, ...options }).address()
    await assert.rejects(joined(t, port, options), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: 'The "defaultLabels" option must be without "worker", the label of worker threads, in a thread that joins another at port ' +
        `${port}. Received an array`
    })
    assert.equal((await pageAt(port)).get('nodejs_version_info').samples[0].labels.worker, '1')
  })
})

describe('blocked threads', () => {
  test('delay a page by one timeout at most, and their lag and sample age grow', async (t) => {
    const traceFunction = start({ port: 0, ...FULL })
    const { port } = traceFunction.address()
    const free = await joined(t, port)
    const blocked = []
    for (let n = 0; n < 6; n++) blocked.push(await joined(t, port))
    const calls = { calls: 10, ids: ['a'] }
    for (const thread of blocked) await thread.ask('count', calls)
    await pageAt(port)
    for (const thread of blocked) {
      thread.send('block')
      await until(() => Atomics.load(thread.progress, 0) === -1, 'the thread is blocked')
    }

    const times = []
    let page
    // If the page waited for one blocked thread after another, every page would take longer.
    await until(async () => {
      const begun = performance.now()
      page = await pageAt(port)
      times.push(performance.now() - begun)
      return times.length >= 3 && Math.min(...times) < blocked.length * 100
    }, 'a page after one timeout of 100 ms')
    assert.equal(valueById(page, 'a'), 60, 'the counts of blocked threads are on the page')
    const waited = times.slice(1).reduce((all, time) => all + time, 0) / 1000
    for (const { id } of blocked) {
      assert.ok(valueOf(page, 'nodejs_eventloop_lag_seconds', { worker: id }) >= waited, 'the lag is the time since the first unanswered request')
      assert.ok(valueOf(page, 'hypertrace_sample_age_seconds', { worker: id }) >= waited)
    }
    await until(async () => {
      page = await pageAt(port)
      const ages = [{}, { worker: free.id }].map((labels) => valueOf(page, 'hypertrace_sample_age_seconds', labels))
      return ages.every((age) => age < waited)
    }, 'new samples of the threads that are not blocked')

    for (const thread of blocked) thread.release()
    await until(async () => {
      page = await pageAt(port)
      return blocked.every(({ id }) => valueOf(page, 'hypertrace_sample_age_seconds', { worker: id }) < waited)
    }, 'new samples of the released threads')
  })

  test('can be terminated, and their counts stay', async (t) => {
    const { port } = start({ port: 0, ...FULL }).address()
    const thread = await joined(t, port)
    await thread.ask('count', { calls: 10, ids: ['a'] })
    thread.send('block')
    await until(() => Atomics.load(thread.progress, 0) === -1, 'the thread is blocked')
    const [page] = await Promise.all([pageAt(port), thread.worker.terminate()])
    assert.equal(valueById(page, 'a'), 10)
    assert.equal(valueById(await pageAt(port), 'a'), 10)
  })
})

test('metrics() in a worker returns the whole page', async (t) => {
  const traceFunction = start({ port: 0, ...FULL })
  const { port } = traceFunction.address()
  const [asks, other] = [await joined(t, port), await joined(t, port)]
  count(traceFunction, 'main')
  await other.ask('count', { calls: 3, ids: ['other', 'main'] })
  await pageAt(port)
  const page = parse(await asks.ask('metrics'))
  assert.equal(valueById(page, 'main'), 2)
  assert.equal(valueById(page, 'other'), 2)
  assert.deepEqual([...page.keys()], [...(await pageAt(port)).keys()])
  assert.deepEqual(workersOf(page.get('nodejs_version_info')), new Set([undefined, asks.id, other.id]))
})

test('a worker that is terminated while it writes a page leaves no page open: idle series still expire', async (t) => {
  const options = { ...FULL, seriesIdleTimeout: 300 }
  const traceFunction = start({ port: 0, ...options })
  const { port } = traceFunction.address()
  for (let id = 0; id < 10_000; id++) traceFunction(payload({ object: { id } }))
  for (let n = 0; n < 3; n++) {
    const thread = await joined(t, port, options)
    for (let times = 0; times < 20; times++) thread.send('metrics')
    await thread.ask('address')
    await thread.worker.terminate()
  }
  await until(async () => valueOf(await pageAt(port), 'hypertrace_series') === 0, 'the idle series expire')
})

describe('a register', () => {
  test('in the thread that opened the port has the counts of all threads', async (t) => {
    const register = new Registry()
    const traceFunction = start({ port: 0, register, ...FULL })
    const { port } = traceFunction.address()
    count(traceFunction, 'a')
    const thread = await joined(t, port)
    await thread.ask('count', { calls: 3, ids: ['a', 'b'] })
    const page = await pageAt(port)
    assert.equal(valueById(page, 'a'), 3)
    assert.equal(valueById(page, 'b'), 1)
    assert.equal(valueOf(page, 'hypertrace_scrape_incomplete'), 0)
    assert.deepEqual(workersOf(page.get('nodejs_version_info')), new Set([undefined, thread.id]))

    thread.send('block')
    await until(() => Atomics.load(thread.progress, 0) === -1, 'the thread is blocked')
    assert.equal(valueOf(await pageAt(port), 'hypertrace_scrape_incomplete'), 0, 'a register of another thread is not affected by a blocked thread')
    await thread.worker.terminate()
    assert.equal(valueById(await pageAt(port), 'a'), 3)
  })

  test('ends with its thread, and then the page says that it is incomplete', async (t) => {
    const opener = await joined(t, 0, { ...FULL, withRegister: true })
    const { port } = await opener.ask('address')
    const thread = await joined(t, port)
    await opener.ask('count', { calls: 3, ids: ['a'] })
    assert.equal(valueOf(await pageAt(port), 'hypertrace_scrape_incomplete'), 0)
    await opener.worker.terminate()
    await thread.ask('count', { calls: 3, ids: ['a'] })
    const page = await pageAt(port)
    assert.equal(valueOf(page, 'hypertrace_scrape_incomplete'), 1)
    assert.equal(valueById(page, 'a'), 6)
  })

  test('in a joining thread is an error, and the register stays empty', async (t) => {
    const opener = await joined(t, 0)
    const { port } = await opener.ask('address')
    const register = new Registry()
    assert.throws(() => start({ port, register, ...FULL }), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: `The "register" option must be left out in a thread that joins another at port ${port}. Received an object`
    })
    assert.deepEqual(register.getMetricsAsArray(), [])
    assert.deepEqual(workersOf((await pageAt(port)).get('nodejs_version_info')), new Set([opener.id]))
    start({ port, ...FULL })
  })
})

describe('idle series', () => {
  const EXPIRING = { collectDefaults: true, seriesIdleTimeout: 300 }
  const seriesOn = (page) => valueOf(page, 'hypertrace_series')

  test('expire for all threads, begin again at 0, and stay while one thread counts them', async (t) => {
    const traceFunction = start({ port: 0, ...EXPIRING })
    const { port } = traceFunction.address()
    const threads = [await joined(t, port, EXPIRING), await joined(t, port, EXPIRING)]
    for (const thread of threads) await thread.ask('count', { calls: 4, ids: ['idle', 'busy'] })
    count(traceFunction, 'idle')
    let busy = 4
    let page
    await until(async () => {
      await threads[0].ask('count', { calls: 1, ids: ['busy'] })
      busy++
      page = await pageAt(port)
      assert.equal(valueById(page, 'busy'), busy)
      return seriesOn(page) === 1
    }, 'the idle series expire')
    assert.equal(valueById(page, 'idle'), undefined)
    for (const thread of threads) await thread.ask('count', { calls: 2, ids: ['idle', 'new'] })
    page = await pageAt(port)
    assert.deepEqual([valueById(page, 'idle'), valueById(page, 'new')], [2, 2])
  })

  const ends = {
    'stop()': (thread) => thread.ask('stop'),
    'terminate()': (thread) => thread.worker.terminate(),
    'a rejected register': (thread, port) => assert.rejects(thread.ask('join', { port, ...EXPIRING, withRegister: true })),
    'a rejected option': (thread, port) => assert.rejects(thread.ask('join', { port, ...EXPIRING, prefix: 'x_' }))
  }
  for (const [name, end] of Object.entries(ends)) {
    test(`expire although a thread has ended (${name})`, async (t) => {
      const { port } = start({ port: 0, ...EXPIRING }).address()
      const stays = await joined(t, port, EXPIRING)
      const thread = startThread(t)
      if (!name.includes('rejected')) {
        await thread.ask('join', { port, ...EXPIRING })
        await thread.ask('count', { calls: 5, ids: ['idle'] })
      }
      await stays.ask('count', { calls: 5, ids: ['idle'] })
      await end(thread, port)
      await until(async () => seriesOn(await pageAt(port)) === 0, 'the idle series expire')
    })
  }

  test('a thread that keeps counting after stop() counts in the correct series', async (t) => {
    const traceFunction = start({ port: 0, ...EXPIRING })
    const { port } = traceFunction.address()
    const thread = await joined(t, port, EXPIRING)
    await thread.ask('count', { calls: 5, ids: ['idle'] })
    await thread.ask('stop')
    await until(async () => seriesOn(await pageAt(port)) === 0, 'the idle series expire')
    count(traceFunction, 'other')
    await thread.ask('count', { calls: 2, ids: ['idle'] })
    const page = await pageAt(port)
    assert.deepEqual([valueById(page, 'other'), valueById(page, 'idle')], [1, 2])
  })
})
