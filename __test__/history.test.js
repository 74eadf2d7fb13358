'use strict'

// Tests the recorder: /history.json, stalls, and the rates of /summary.json. Applications run in processes of their own.

const assert = require('node:assert/strict')
const path = require('node:path')
const { describe, test } = require('node:test')

const HypertracePrometheus = require('..')
const createSampler = require('../lib/node-metrics')
const processName = require('../lib/process-name')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')

const APP = path.join(__dirname, 'history', 'app.js')
const LIMIT = { timeout: 60_000 }

/** Starts the application. Returns functions that request its documents. */
async function startApp (t, kind = 'main', options = {}) {
  const app = startProgram(t, APP, [kind, JSON.stringify(options)])
  const port = Number((await app.line(/^port (\d+)$/))[1])
  // After two turns of the application's event loop, each question since the start has an answer. A question without an answer
  // would begin a stall.
  const turns = kind === 'main' ? 2 : 0
  for (let turn = 0; turn < turns; turn++) {
    app.say('ping')
    await app.line(/^pong$/)
  }
  const ask = (path) => get({ port, host: '127.0.0.1', path })
  const document = async (path) => {
    const { status, body, headers } = await ask(path)
    assert.deepEqual([status, headers['content-type']], [200, 'application/json'], body)
    return JSON.parse(body)
  }
  const history = (query = '') => document(`/history.json?${query}`)
  const families = async () => parse(Buffer.from((await ask('/metrics')).body), { allowDuplicates: true })
  return { app, port, ask, history, families, summary: (query = '') => document(`/summary.json?${query}`) }
}

/** Checks that all lists have the same length, and that the rows and `other` add up to the points. */
function checkSums ({ points, rows, other }) {
  const { calls } = points
  for (const list of [...Object.values(points), ...rows.map((row) => row.calls), other.calls]) assert.equal(list.length, calls.length)
  for (const [step, sum] of calls.entries()) {
    const parts = [...rows.map((row) => row.calls[step]), other.calls[step]]
    if (sum === null) assert.ok(parts.every((part) => part === null))
    else assert.equal(parts.reduce((all, part) => all + part), sum)
  }
}

/** Returns the stall in which this function was called most, if it has ended. */
const ended = ({ stalls }, name) => stalls.find(({ ongoing, rows }) => ongoing === undefined && rows[0]?.labels.caller_functionname === name)

/** Returns the stall in which this function was called most, if it has not ended. */
const running = ({ stalls }, name) => stalls.find(({ ongoing, rows }) => ongoing === true && rows[0]?.labels.caller_functionname === name)

const sum = (list) => list.reduce((all, value) => all + value, 0)
const measured = (list) => list.filter((value) => value !== null)

describe('recorder', LIMIT, () => {
  test('after a block of 3 s without a request, the history names the function that was called', LIMIT, async (t) => {
    const { app, history, families } = await startApp(t)
    // The first request comes after the block, so only the recorder can have measured the block.
    const begin = Date.now() / 1000
    app.say('crunch 3000')
    const calls = Number((await app.line(/^end (\d+)$/))[1])
    const length = Date.now() / 1000 - begin
    const stall = await until(async () => ended(await history('seconds=30'), 'crunch'), 'the end of the stall')
    assert.ok(stall.seconds > 2 && stall.seconds <= length, `${stall.seconds} s of ${length} s`)
    assert.ok(stall.startTimeSeconds >= begin - 0.1 && stall.startTimeSeconds < begin + 1, `${stall.startTimeSeconds - begin} s late`)
    assert.deepEqual(stall.rows[0].labels, { object_classname: 'Cruncher', caller_functionname: 'crunch' })
    assert.ok(stall.rows[0].calls <= calls && stall.rows[0].calls > calls / 2, `${stall.rows[0].calls} of ${calls} calls`)
    assert.equal(stall.worker, undefined)

    const whole = await until(async () => {
      const document = await history('seconds=60&by=object_classname')
      const row = document.rows.find(({ labels }) => labels.object_classname === 'Cruncher')
      return row !== undefined && sum(row.calls) === calls && document
    }, 'a step after the block with its last calls')
    checkSums(whole)
    assert.ok(Math.max(...whole.points.lagSeconds) > 2)
    assert.ok(measured(whole.points.cpuSeconds).every((seconds) => seconds >= 0) && sum(whole.points.cpuSeconds) > 0)
    assert.ok(measured(whole.points.heapUsedBytes).every((bytes) => bytes > 1e6))
    assert.ok(measured(whole.points.residentMemoryBytes).every((bytes) => bytes > 1e7))
    assert.equal(whole.points.series.at(-1), 2)

    const value = (page, name) => page.get(`hypertrace_eventloop_${name}_total`).samples[0].value
    const page = await families()
    assert.ok(value(page, 'stalls') >= 1)
    assert.ok(value(page, 'stall_seconds') >= stall.seconds - 1e-6)
  })

  test('an ongoing stall has its length and its calls so far', LIMIT, async (t) => {
    const { app, history, families } = await startApp(t)
    app.say('crunch 4000')
    await app.line(/^begin$/)
    const first = await until(async () => running(await history('seconds=10'), 'crunch'), 'a stall with calls')
    const page = await families()
    assert.ok(page.get('hypertrace_eventloop_stalls_total').samples[0].value >= 1)
    assert.ok(page.get('hypertrace_eventloop_stall_seconds_total').samples[0].value > 0.25)
    await until(async () => {
      const { stalls } = await history('seconds=10')
      const later = stalls.find(({ startTimeSeconds }) => startTimeSeconds === first.startTimeSeconds)
      return later.seconds > first.seconds && later.calls > first.calls
    }, 'the stall grows')
    await app.line(/^end/)
    await until(async () => ended(await history(), 'crunch'), 'the end of the stall')
  })

  test('the stall of a worker thread has the number of the thread, and only the calls of this thread', LIMIT, async (t) => {
    const { app, history, families } = await startApp(t, 'worker')
    const worker = Number((await app.line(/^worker (\d+)$/))[1])
    app.say('worker 1500')
    await app.line(/^begin$/)
    await app.line(/^end/)
    const stall = await until(async () => {
      const { stalls } = await history('by=object_classname')
      return stalls.find((stall) => stall.worker !== undefined && stall.ongoing === undefined)
    }, 'the end of the stall')
    assert.equal(stall.worker, worker)
    assert.deepEqual(stall.rows.map(({ labels }) => labels.object_classname), ['InWorker'])
    const { samples } = (await families()).get('hypertrace_eventloop_stalls_total')
    const own = samples.find(({ labels }) => labels.worker === String(worker))
    assert.ok(own.value >= 1)
    assert.equal(samples.length, 2)
  })

  test('the steps have the calls of all threads', LIMIT, async (t) => {
    const { app, history, summary } = await startApp(t, 'worker')
    app.say('worker 700')
    app.say('crunch 700')
    await app.line(/^end/)
    await app.line(/^end/)
    const { rows } = await until(async () => {
      const [document, { rows }] = await Promise.all([history('by=object_classname'), summary('by=object_classname')])
      checkSums(document)
      const exact = (name) => sum(document.rows.find(({ labels }) => labels.object_classname === name)?.calls ?? []) ===
        rows.find(({ labels }) => labels.object_classname === name)?.value
      return exact('InWorker') && exact('Cruncher') && document
    }, 'the sums of the steps are the values of the counter')
    assert.equal(rows.length, 3)
    const edges = await history('by=parent_object_classname,object_classname&parent_object_classname=Main')
    assert.deepEqual(edges.rows.map(({ labels }) => labels.parent_object_classname), ['Main', 'Main'])
    checkSums(edges)
  })

  test('with history: 0 nothing is recorded, and no stall is counted', LIMIT, async (t) => {
    const { ask, families, summary } = await startApp(t, 'main', { history: 0 })
    const { status, body } = await ask('/history.json')
    assert.deepEqual([status, body], [404, 'Nothing is recorded: the option history is 0.\n'])
    assert.equal((await families()).has('hypertrace_eventloop_stalls_total'), false)
    const { order, windowSeconds, calls, rows } = await summary('order=rate')
    assert.deepEqual([order, windowSeconds, calls.rate, rows[0].rate], ['total', null, null, undefined])
  })

  test('without a port nothing is recorded', async () => {
    const traceFunction = HypertracePrometheus()
    assert.doesNotMatch(await traceFunction.metrics(), /eventloop_stall/)
    await traceFunction.stop()
  })

  test('a wrong query gets 400 and a sentence that names what is allowed', LIMIT, async (t) => {
    const { ask } = await startApp(t)
    for (const query of ['by=object_id', 'seconds=901', 'nope=1', 'limit=0']) {
      const { status, body } = await ask(`/history.json?${query}`)
      assert.equal(status, 400)
      assert.match(body, /^[^\n]{20,}\.\n$/, query)
    }
  })

  test('a summary has rates, can be sorted by them, and names the process', LIMIT, async (t) => {
    const { app, port, summary } = await startApp(t, 'main', { defaultLabels: { app: 'a "b"' } })
    app.say('crunch 600')
    await app.line(/^end/)
    const byTotal = await until(async () => {
      const document = await summary('window=60')
      return document.rows.length === 2 && document.rows.every(({ rate }) => rate > 0) && document
    }, 'rates')
    assert.deepEqual([byTotal.order, byTotal.rows[0].labels.object_classname], ['total', 'Cruncher'])
    // After the block, only the other function is called.
    const byRate = await until(async () => {
      const document = await summary('order=rate&window=1')
      return document.rows[0].labels.object_classname === 'Steady' && document
    }, 'another order')
    const { order, windowSeconds, calls, rows } = byRate
    assert.deepEqual([order, windowSeconds, rows[1].rate], ['rate', 1, 0])
    assert.equal(calls.rate, rows[0].rate)
    const found = await summary('search=CRUNCH&limit=1&order=rate')
    assert.equal(found.rows[0].labels.caller_functionname, 'crunch')
    const byObject = await summary('by=object_id&order=rate')
    assert.deepEqual([byObject.order, byObject.rows[0].rate], ['total', undefined])

    assert.deepEqual(byTotal.defaultLabels, { app: 'a "b"' })
    assert.equal(byTotal.version, require('../package.json').version)
    const { name, pid, nodeVersion, threads } = byTotal.process
    assert.deepEqual([name, pid, nodeVersion, threads], ['app.js', app.child.pid, process.version, 1])
    assert.ok(port > 0)
  })

  test('threads of one port must have the same option history', async (t) => {
    const { Worker } = require('node:worker_threads')
    const traceFunction = HypertracePrometheus({ port: 0, history: 60 })
    t.after(() => traceFunction.stop())
    const code = `const H = require(${JSON.stringify(path.join(__dirname, '..'))})
      try { H({ port: ${traceFunction.address().port} }) } catch (error) { require('worker_threads').parentPort.postMessage(error.message) }`
    const worker = new Worker(code, { eval: true })
    const [message] = await require('node:events').once(worker, 'message')
    assert.match(message, /"history" option must be 60,/)
  })
})

test('recorder: an answer has the used heap, and on systems other than Linux also the figures of the process; an answer resets no delays', () => {
  const figures = { cpuUsage: () => ({ user: 2e6, system: 1e6 }), memoryUsage: () => ({ rss: 7, heapUsed: 5 }), uptime: () => 4 }
  let resets = 0
  const histogram = { enable () {}, disable () {}, mean: 1, percentile: () => 1, reset () { resets++ } }
  const perfHooks = { monitorEventLoopDelay: () => histogram, performance: { now: () => 1e9 * resets + 5000 }, PerformanceObserver: { supportedEntryTypes: [] } }
  const modules = { v8: { getHeapStatistics: () => ({ used_heap_size: 6 }) }, perf_hooks: perfHooks }
  const load = (name) => modules[name]
  const linux = createSampler([1], { process: { platform: 'linux', ...figures }, load })
  assert.deepEqual({ ...linux.answer() }, { heapUsed: 6 })
  const other = createSampler([1], { process: { platform: 'darwin', ...figures }, load })
  assert.deepEqual({ ...other.answer() }, { heapUsed: 6, process: { cpuUser: 2, cpuSystem: 1, residentMemory: 7, uptime: 4 } })
  const bare = createSampler([1], { process: undefined, load: () => { throw new Error('no module') } })
  assert.deepEqual({ ...bare.answer() }, {})
  assert.equal(resets, 0)
})

test('recorder: the name of a process is the title that the process has set, or its script if it has set none', () => {
  const argv = ['/usr/bin/node', '/srv/chat/server.js']
  const execPath = '/usr/bin/node'
  for (const [proc, name] of [
    [{ title: 'node', argv, execPath }, 'server.js'],
    [{ title: '/usr/bin/node server.js', argv, execPath }, 'server.js'],
    [{ title: 'node_modules/node/bin/node', argv, execPath }, 'server.js'],
    [{ title: '/usr/bin/electron --type', argv, execPath: '/opt/bin/electron' }, 'server.js'],
    [{ title: 'chat', argv, execPath }, 'chat'],
    [{ title: 'Windows PowerShell', argv: ['C:\\node.exe', 'C:\\chat\\main.mjs'], execPath, platform: 'win32' }, 'main.mjs'],
    [{ argv: ['bare', 'app.js'] }, 'app.js'],
    [{ title: 'node', argv: ['/usr/bin/node'], execPath }, 'node'],
    [{ title: 7, argv: [], execPath }, undefined],
    [null, undefined]
  ]) assert.equal(processName(proc), name, JSON.stringify(proc))
})
