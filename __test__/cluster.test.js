'use strict'

/*
 * Tests processes that share a port: joining, counting, the page, take-over. `cluster-faults.test.js` tests hostile and hanging
 * processes, `cluster-managers.test.js` tests node:cluster, PM2 and fork, and `cluster-rates.test.js` tests a real Prometheus.
 */

const { test, describe } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { isDeepStrictEqual, promisify } = require('node:util')
const zlib = require('node:zlib')

const { createCluster, countsOf, processesOf, sumOf } = require('./cluster/processes')
const { decode } = require('./protobuf/decode')
const { getProtobuf } = require('./protobuf/get')
const { parse, seriesKey } = require('./support/exposition')
const { get } = require('./support/http')
const { holdings } = require('./support/left-behind')
const { until } = require('./support/until')

const gunzip = promisify(zlib.gunzip)
const SCRAPER = { 'x-prometheus-scrape-timeout-seconds': '10', 'user-agent': 'scraper' }

describe('counting', () => {
  for (const number of [1, 2, 4, 8]) {
    test(`the page of ${number} processes under load is exact, and no series falls`, async (t) => {
      const cluster = await createCluster(t)
      const processes = []
      for (let n = 0; n < number; n++) processes.push(await cluster.start())
      let counting = true
      const watching = watch(cluster, () => counting)
      const calls = 40_000
      await Promise.all(processes.map((one) => one.ask(`load ${calls} 300`, /^counted /)))
      counting = false
      await watching
      const counts = await cluster.counts()
      assert.deepEqual(Object.keys(counts), Array.from({ length: number }, (_, n) => String(n + 1)))
      for (const ids of Object.values(counts)) assert.equal(sumOf({ ids }), calls)
      await cluster.stopAll()
    })
  }

  test('the page of a process whose event loop is blocked is exact', async (t) => {
    const cluster = await createCluster(t)
    const [opener, member] = [await cluster.start(), await cluster.start()]
    await opener.count(3, 'a')
    await member.count(5, 'b')
    for (const blocked of [opener, member]) {
      await blocked.ask('block 3000', /^blocked$/)
      assert.deepEqual(await cluster.counts(), { 1: { a: 3 }, 2: { b: 5 } })
      assert.deepEqual(processesOf(await cluster.page()), [1, 2])
    }
    await Promise.all([opener, member].map((one) => one.line(/^free$/)))
    await cluster.stopAll()
  })

  test('the calls of worker threads are in the lines of their process', async (t) => {
    const cluster = await createCluster(t, { collectDefaults: true })
    const processes = [await cluster.start(), await cluster.start()]
    for (const one of processes) {
      await one.ask('worker 7', /^worker at/)
      await one.count(2, 'worker')
    }
    assert.deepEqual(await cluster.counts(), { 1: { worker: 9 }, 2: { worker: 9 } })
    const { samples } = (await cluster.page()).get('nodejs_heap_size_used_bytes')
    const seen = samples.map(({ labels }) => `${labels.process} ${labels.worker ?? 'main'}`).sort()
    assert.deepEqual(seen, ['1 1', '1 main', '2 1', '2 main'])
    for (const one of processes) await one.ask('terminate', /^terminated$/)
    assert.deepEqual(await cluster.counts(), { 1: { worker: 9 }, 2: { worker: 9 } })
    await cluster.stopAll()
  })

  test('metrics() returns the lines of its own process', async (t) => {
    const cluster = await createCluster(t)
    const [opener, member] = [await cluster.start(), await cluster.start()]
    await opener.count(1, 'a')
    await member.count(2, 'b')
    for (const [one, expected] of [[opener, { 1: { a: 1 } }], [member, { 2: { b: 2 } }]]) {
      const [, text] = await one.ask('metrics', /^metrics (.*)$/)
      assert.deepEqual(countsOf(parse(JSON.parse(text))), expected)
    }
    await cluster.stopAll()
  })
})

describe('the page', () => {
  test('has each family once, and the label process on each line, in text, gzip and protobuf', async (t) => {
    const cluster = await createCluster(t, { collectDefaults: true, defaultLabels: { app: 'x' } })
    const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
    for (const one of processes) await one.count(4, 'a')
    for (const one of processes) await one.ask('series 3000', /^made$/)
    const { body } = await get({ port: cluster.port })
    const page = parse(body) // rejects a family in two groups
    for (const { name, samples } of page.values()) {
      const numbers = new Set(samples.map(({ labels }) => labels.process))
      if (samples.length > 0) assert.deepEqual([...numbers], ['1', '2', '3'], name)
      for (const { labels } of samples) assert.equal(labels.app, 'x', name)
    }
    assert.equal(page.get('trace_counter').samples.length, 3 * 3001)

    const zipped = await getBytes(cluster.port, { 'accept-encoding': 'gzip' })
    assert.equal(zipped.headers['content-encoding'], 'gzip')
    assert.deepEqual(seriesOf(parse((await gunzip(zipped.body)).toString())), seriesOf(page))
    const again = await getBytes(cluster.port, { 'accept-encoding': 'gzip' })
    assert.deepEqual(seriesOf(parse((await gunzip(again.body)).toString())), seriesOf(page), 'from the caches')

    for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
      const { body } = await getProtobuf(cluster.port, { headers })
      const families = decode('accept-encoding' in headers ? await gunzip(body) : body)
      assert.deepEqual(seriesOf(families), seriesOf(page))
      for (const { start } of families.get('trace_counter').samples) assert.ok(start > 1.7e12)
      assert.deepEqual([...families.keys()].sort(), [...page.keys()].sort())
      for (const { name, samples } of families.values()) {
        for (const { labels } of samples) assert.ok(['1', '2', '3'].includes(labels.process), name)
      }
    }
    const head = await get({ port: cluster.port, method: 'HEAD' })
    assert.deepEqual([head.status, head.body], [200, ''])
    assert.deepEqual(seriesOf(await cluster.page()), seriesOf(page), 'HEAD changes nothing')
    await cluster.stopAll()
  })

  test('shows a scraper each new series of each process at 0 once, also after a take-over', async (t) => {
    const cluster = await createCluster(t)
    const [opener, member] = [await cluster.start(), await cluster.start()]
    await opener.count(3, 'a')
    await member.count(4, 'b')
    const scrape = () => cluster.counts({ headers: SCRAPER })
    assert.deepEqual(await scrape(), { 1: { a: 0 }, 2: { b: 0 } })
    assert.deepEqual(await scrape(), { 1: { a: 3 }, 2: { b: 4 } })
    await member.count(5, 'c')
    const late = await cluster.start()
    await late.count(6, 'd')
    assert.deepEqual(await cluster.counts(), { 1: { a: 3 }, 2: { b: 4, c: 5 }, 3: { d: 6 } })
    assert.deepEqual(await scrape(), { 1: { a: 3 }, 2: { b: 4, c: 0 }, 3: { d: 0 } })
    await cluster.page() // after this page, the members have received the message that the scraper has its page
    await opener.kill()
    await cluster.processes([2, 3])
    assert.deepEqual(await scrape(), { 2: { b: 4, c: 5 }, 3: { d: 6 } })
    await late.count(1, 'e')
    assert.deepEqual(await scrape(), { 2: { b: 4, c: 5 }, 3: { d: 6, e: 0 } })
    assert.deepEqual(await scrape(), { 2: { b: 4, c: 5 }, 3: { d: 6, e: 1 } })
    await cluster.stopAll()
  })
})

describe('the documents of the live page', () => {
  const json = async (cluster, path) => {
    const { status, body } = await get({ port: cluster.port, path })
    assert.equal(status, 200, body)
    return JSON.parse(body)
  }

  test('/summary.json sums all processes, and shows each alone and by process', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
    for (const [n, one] of processes.entries()) {
      await one.count(n + 1, 'same')
      await one.count(10, `own-${n + 1}`)
    }
    const all = await json(cluster, '/summary.json?by=id')
    assert.equal(all.calls.total, 36)
    assert.deepEqual(all.rows.map(({ labels, value }) => [labels.id, value]).sort(), [['own-1', 10], ['own-2', 10], ['own-3', 10], ['same', 6]])
    assert.deepEqual(all.processes.map(({ process, pid }) => [process, pid]), processes.map(({ pid }, n) => [n + 1, pid]))
    for (const n of [1, 2, 3]) {
      const one = await json(cluster, `/summary.json?by=id&process=${n}`)
      assert.deepEqual(one.rows.map(({ labels, value }) => [labels.id, value]), [[`own-${n}`, 10], ['same', n]])
      assert.equal(one.process.pid, processes[n - 1].pid)
    }
    const byProcess = await json(cluster, '/summary.json?by=process,id&id=same')
    assert.deepEqual(byProcess.rows.map(({ labels, value }) => [labels.process, value]), [['3', 3], ['2', 2], ['1', 1]])
    assert.deepEqual((await json(cluster, '/summary.json?by=process')).rows.map(({ value }) => value), [13, 12, 11])
    for (const path of ['/summary.json?process=9', '/summary.json?process=x', '/summary.json?by=nothing', '/history.json?process=9']) {
      const { status, body } = await get({ port: cluster.port, path })
      assert.equal(status, 400)
      assert.match(body, /^(There is no process 9|"process" must be|"by" must be)/)
    }
    for (const process of [1, 2]) {
      const { status, body } = await get({ port: cluster.port, path: `/history.json?process=${process}&by=nothing` })
      assert.equal(status, 400)
      assert.match(body, /^"by" must be/, `process ${process}`)
    }
    await cluster.stopAll()
  })

  test('/history.json adds the steps of all processes, and each stall has its process', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start()]
    for (const [n, one] of processes.entries()) await one.count(n + 5, 'a')
    await processes[1].ask('block 1200', /^blocked$/)
    await processes[1].line(/^free$/)
    const calls = (list) => list.reduce((sum, value) => sum + (value ?? 0), 0)
    const history = await until(async () => {
      const history = await json(cluster, '/history.json?by=id&seconds=60')
      return calls(history.points.calls) === 11 && history.stalls.some(({ ongoing }) => !ongoing) && history
    }, 'the calls and the stall are recorded')
    assert.deepEqual(history.rows.map(({ labels, calls: list }) => [labels, calls(list)]), [[{ id: 'a' }, 11]])
    assert.equal(history.points.calls.length, 60)
    assert.deepEqual([...new Set(history.stalls.map(({ process }) => process))], [2])
    const one = await json(cluster, '/history.json?by=id&seconds=60&process=2')
    assert.equal(calls(one.points.calls), 6)
    const byProcess = await json(cluster, '/history.json?by=process&seconds=60')
    assert.deepEqual(byProcess.rows.map(({ labels, calls: list }) => [labels.process, calls(list)]), [['2', 6], ['1', 5]])
    const noCalls = await json(cluster, '/history.json?by=process&seconds=60&id=b')
    assert.deepEqual([noCalls.rows, calls(noCalls.other.calls)], [[], 11])
    await cluster.stopAll()
  })

  test('do not contain a process that does not respond, and name it', { skip: process.platform === 'win32' && 'there is no SIGSTOP' }, async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start()]
    for (const one of processes) await one.count(1, 'a')
    processes[1].child.kill('SIGSTOP')
    const { calls, absentProcesses } = await json(cluster, '/summary.json')
    assert.deepEqual([calls.total, absentProcesses], [1, [2]])
    processes[1].child.kill('SIGCONT')
    await cluster.stopAll()
  })
})

describe('joining', () => {
  test('of eight processes that start at the same moment, one opens the port and the others join', async (t) => {
    const cluster = await createCluster(t)
    const processes = await Promise.all(Array.from({ length: 8 }, () => cluster.start({ lazy: true })))
    for (const one of processes) one.say('open')
    for (const one of processes) assert.equal(await one.opened(), cluster.port)
    await Promise.all(processes.map((one) => one.count(10, 'a')))
    const expected = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [n + 1, { a: 10 }]))
    assert.deepEqual(await cluster.counts(), expected)
    assert.equal(cluster.names().length, 1)
    await cluster.stopAll()
  })

  test('a process that joins later gets the smallest number that no living process has', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
    await processes[1].kill()
    await cluster.processes([1, 3])
    const next = await cluster.start()
    await next.count(1, 'next')
    assert.deepEqual(await cluster.counts(), { 2: { next: 1 } })
    await cluster.processes([1, 2, 3])
    await cluster.stopAll()
  })

  const options = {
    metricName: ['trace_counter', 'other_counter'],
    allowedProps: [[], ['a']],
    omitLabels: [[], ['id']],
    defaultLabels: [[], [['a', '1']], { a: 1 }],
    maxSeries: [50_000, 7],
    seriesIdleTimeout: [0, 1000],
    maxLabelValueLength: [1024, 10],
    collectDefaults: [false, true],
    startAtZero: [true, false],
    prefix: ['', 'my_']
  }
  test('with another value of an option fails with an error that names both values', async (t) => {
    const cluster = await createCluster(t)
    await cluster.start()
    for (const [option, [theirs, ours, given]] of Object.entries(options)) {
      assert.deepEqual(await cluster.startFailing({ [option]: given ?? ours }), {
        code: 'ERR_INVALID_ARG_VALUE',
        message: `The "${option}" option must be ${JSON.stringify(theirs)}, as in the process that serves port ${cluster.port}. Received ${JSON.stringify(ours)}`
      })
    }
    const secrets = { auth: { bearer: 'a' }, allowedHosts: ['a.example'] }
    for (const [option, value] of Object.entries(secrets)) {
      const { code, message } = await cluster.startFailing({ [option]: value })
      assert.equal(code, 'ERR_INVALID_ARG_VALUE')
      assert.match(message, new RegExp(`^The "${option}" option must be .* in the process that serves port`))
    }
    assert.deepEqual(processesOf(await cluster.page()), [1])
    await cluster.stopAll()
  })

  test('fails with EADDRINUSE if this process or the opener is without cluster: true, and the message says what to do', async (t) => {
    const cluster = await createCluster(t)
    await cluster.start()
    const plain = await cluster.startFailing({ cluster: false })
    assert.equal(plain.code, 'EADDRINUSE')
    assert.match(plain.message, /Processes of one application share a port if each sets cluster: true\./)
    await cluster.stopAll()

    const other = await createCluster(t)
    const opener = await other.start({ cluster: false })
    const joining = await other.startFailing()
    assert.equal(joining.code, 'EADDRINUSE')
    assert.match(joining.message, /A program without cluster: true/)
    await opener.kill()
  })

  test('a register and a default label "process" are not accepted', async (t) => {
    const { Registry } = require('prom-client')
    const HypertracePrometheus = require('..')
    assert.throws(() => HypertracePrometheus({ port: 0, cluster: true, register: new Registry() }), {
      code: 'ERR_INVALID_ARG_VALUE', message: 'The "register" option must be left out with cluster: true. Received an object'
    })
    assert.throws(() => HypertracePrometheus({ port: 0, cluster: true, defaultLabels: { process: 1 } }), { code: 'ERR_INVALID_ARG_VALUE' })
    assert.throws(() => HypertracePrometheus({ port: 0, cluster: 'yes' }), { code: 'ERR_INVALID_ARG_TYPE' })
  })

  test('for a second time in one thread fails with EADDRINUSE, in the opener and in a member', async (t) => {
    const cluster = await createCluster(t)
    for (const one of [await cluster.start(), await cluster.start()]) {
      const [, code] = await one.ask('open', /^failed (\S+)/)
      assert.equal(code, 'EADDRINUSE')
    }
    assert.deepEqual(processesOf(await cluster.page()), [1, 2])
    await cluster.stopAll()
  })

  test('with port 0 the first process gets a port, which others can join', async (t) => {
    const cluster = await createCluster(t)
    const opener = await cluster.start({ port: 0 })
    const port = opener.port
    assert.notEqual(port, cluster.port)
    await cluster.start({ port })
    const { body } = await get({ port })
    assert.deepEqual(processesOf(parse(body)), [1, 2])
    await cluster.stopAll()
  })

  const skip = process.platform !== 'win32' && 'the variable LOCALAPPDATA is of Windows'
  test('a process whose environment lacks LOCALAPPDATA finds the others by the profile', { skip }, async (t) => {
    const cluster = await createCluster(t)
    cluster.env.LOCALAPPDATA = process.env.LOCALAPPDATA
    await cluster.start()
    cluster.env.LOCALAPPDATA = undefined
    await cluster.start()
    await cluster.processes([1, 2])
    await cluster.stopAll()
  })

  test('a process that has stopped may join again', async (t) => {
    const cluster = await createCluster(t)
    const [opener, member] = [await cluster.start(), await cluster.start()]
    for (const one of [member, opener]) {
      await one.ask('stop', /^stopped$/)
      one.say('open')
      await one.opened()
    }
    await member.count(1, 'a')
    assert.deepEqual(sumOf(await cluster.counts()), 1)
    await cluster.stopAll()
  })
})

describe('the end of a process', () => {
  const ends = {
    SIGKILL: (one) => one.kill(),
    SIGTERM: (one) => one.kill('SIGTERM'),
    'process.exit()': (one) => { one.say('exit'); return one.ended() },
    'an uncaught error': (one) => { one.say('fail'); return one.ended() },
    'a natural end': (one) => { one.say('end'); return one.ended() },
    'stop()': (one) => one.ask('stop', /^stopped$/)
  }
  for (const [name, end] of Object.entries(ends)) {
    test(`after ${name} of the opener another process serves the port within a second, with the same series`, async (t) => {
      const cluster = await createCluster(t)
      const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
      for (const [n, one] of processes.entries()) await one.count(n + 1, 'a')
      assert.deepEqual(await cluster.counts(), { 1: { a: 1 }, 2: { a: 2 }, 3: { a: 3 } })
      const ended = end(processes[0])
      const begin = performance.now()
      await until(async () => {
        const counts = await cluster.counts().catch(() => ({}))
        return JSON.stringify(counts) === JSON.stringify({ 2: { a: 2 }, 3: { a: 3 } })
      }, 'the others serve the port', { pause: 5 })
      const milliseconds = performance.now() - begin
      await ended
      t.diagnostic(`${milliseconds.toFixed(0)} ms`)
      await cluster.stopAll()
    })
  }

  test('the lines of a member that is killed are gone at the next scrape, and nothing else changes', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
    for (const one of processes) await one.count(2, 'a')
    const before = seriesOf(await cluster.page())
    await processes[1].kill()
    await cluster.processes([1, 3])
    const after = seriesOf(await cluster.page())
    assert.deepEqual(after, before.filter((line) => !line.includes('["process","2"]')))
    await cluster.stopAll()
  })

  test('the end of the worker thread that has opened the port lets another process open it', async (t) => {
    const cluster = await createCluster(t)
    const opener = await cluster.start({ lazy: true })
    await opener.ask('worker 4', /^worker at/)
    const member = await cluster.start()
    await member.count(2, 'b')
    assert.deepEqual(await cluster.counts(), { 1: { worker: 4 }, 2: { b: 2 } })
    await opener.ask('terminate', /^terminated$/)
    await cluster.processes([2])
    assert.deepEqual(await cluster.counts(), { 2: { b: 2 } })
    await opener.kill()
    await cluster.stopAll()
  })

  test('openers that end one after another: the last process has its number and its counts', async (t) => {
    const cluster = await createCluster(t)
    const processes = []
    for (let n = 0; n < 6; n++) processes.push(await cluster.start())
    for (const one of processes) await one.count(1, 'a')
    for (let n = 0; n < 5; n++) {
      await processes[n].kill()
      await cluster.processes([2, 3, 4, 5, 6].filter((number) => number > n + 1))
    }
    assert.deepEqual(await cluster.counts(), { 6: { a: 1 } })
    await cluster.stopAll()
  })

  test('stop() of an opener and of a member leaves no thread, no descriptor and no timer', async (t) => {
    const HypertracePrometheus = require('..')
    const cluster = await createCluster(t)
    const [[variable, folder]] = Object.entries(cluster.env)
    const before = process.env[variable]
    process.env[variable] = folder
    t.after(() => {
      if (before === undefined) delete process.env[variable]
      else process.env[variable] = before
    })
    const open = async () => {
      const own = HypertracePrometheus({ port: cluster.port, cluster: true, collectDefaults: false })
      await get({ port: cluster.port })
      await own.stop()
    }
    /** Waits until the client has released its closed connections. */
    const settled = () => until(async () => {
      const first = holdings()
      await sleep(50)
      return isDeepStrictEqual(holdings(), first) && first
    }, 'nothing changes')
    await open() // creates the resources that a process creates only once
    let idle = await settled()
    for (let round = 0; round < 5; round++) await open()
    assert.deepEqual(await settled(), idle, 'of an opener')
    const opener = await cluster.start()
    idle = await settled()
    for (let round = 0; round < 5; round++) await open()
    assert.deepEqual(await settled(), idle, 'of a member')
    await opener.ask('stop', /^stopped$/)
    await cluster.stopAll()
  })

  test('the next process removes what a killed process has left', async (t) => {
    const cluster = await createCluster(t)
    const first = await cluster.start()
    await first.kill()
    assert.equal(cluster.names().length, 1)
    await cluster.start()
    assert.equal(cluster.names().length, 1)
    await cluster.stopAll()
  })

  test('a process removes what a killed process of another port has left more than a minute ago', async (t) => {
    const cluster = await createCluster(t)
    const first = await cluster.start({ port: 0 })
    const living = await cluster.start({ port: 0 })
    await first.kill()
    const old = new Date(Date.now() - 120_000)
    for (const name of cluster.names()) fs.utimesSync(path.join(cluster.folder, name), old, old)
    fs.mkdirSync(path.join(cluster.folder, 'hypertrace-of-somebody'))
    await cluster.start()
    const left = cluster.names().map((name) => name.match(/^hypertrace-(\w+)-/)[1]).sort()
    assert.deepEqual(left, [String(cluster.port), String(living.port), 'of'].sort())
    fs.rmdirSync(path.join(cluster.folder, 'hypertrace-of-somebody'))
    await cluster.stopAll()
  })
})

/** Scrapes while `goesOn()`; fails if a series disappears or falls, or if a process is missing. */
async function watch (cluster, goesOn) {
  const last = new Map()
  let processes = []
  while (goesOn()) {
    const page = await cluster.page({ headers: SCRAPER })
    const now = processesOf(page)
    assert.ok(now.length >= processes.length, `${now} after ${processes}`)
    processes = now
    const { samples } = page.get('trace_counter')
    assert.ok(samples.length >= last.size, 'a series has disappeared')
    for (const sample of samples) {
      const key = seriesKey(sample)
      assert.ok(sample.value >= (last.get(key) ?? 0), `${key} fell from ${last.get(key)} to ${sample.value}`)
      last.set(key, sample.value)
    }
  }
}

/** Returns the series of the counter on a page, as sorted lines. */
function seriesOf (page) {
  return page.get('trace_counter').samples.map((sample) => `${seriesKey(sample)} ${sample.value}`).sort()
}

async function getBytes (port, headers) {
  const http = require('node:http')
  const { once } = require('node:events')
  const request = http.request({ port, host: '127.0.0.1', path: '/metrics', agent: false, timeout: 5000, headers })
  request.end()
  const [response] = await once(request, 'response')
  return { headers: response.headers, body: Buffer.concat(await response.toArray()) }
}
