'use strict'

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const net = require('node:net')
const v8 = require('node:v8')
const vm = require('node:vm')
const { once } = require('node:events')
const { PerformanceObserver } = require('node:perf_hooks')
const constants = require('../lib/load-binding').Exporter.constants()
const createSampler = require('../lib/node-metrics')
const { until } = require('./support/until')

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

/** Copies a sample into objects of the usual prototype, for `deepEqual`. */
const plain = (sample) => JSON.parse(JSON.stringify(sample))

/** Starts a sampler that ends with the test. */
function start (t, host) {
  const sampler = createSampler(constants.gcBounds, host)
  t.after(() => sampler.stop())
  return sampler
}

/** @returns {number[]} the bucket counts and the sum of one kind; zeros if there was no collection of this kind */
function figuresOf (sample, kind) {
  const found = sample.gc.find((entry) => entry.kind === kind)
  return found ? [...found.buckets, found.sum] : [0, 0, 0, 0, 0, 0, 0, 0]
}

const countOf = (sample, kind) => figuresOf(sample, kind).slice(0, 7).reduce((a, b) => a + b)

/** Creates a `perf_hooks` whose collector and clock the test controls. */
function fakePerfHooks () {
  const fake = {
    now: 0,
    resets: 0,
    enabled: false,
    connected: false,
    pending: [],
    histogram: {
      min: 1e7,
      max: 4e7,
      mean: 2e7,
      stddev: 5e6,
      percentile: (p) => p * 1e6,
      enable () { fake.enabled = true },
      disable () { fake.enabled = false },
      reset () { fake.resets++ }
    },
    deliver (...entries) { fake.callback({ getEntries: () => entries }) }
  }
  const hooks = {
    performance: { now: () => fake.now },
    monitorEventLoopDelay ({ resolution }) {
      assert.equal(resolution, 10)
      return fake.histogram
    },
    PerformanceObserver: class {
      static supportedEntryTypes = ['gc']
      constructor (callback) { fake.callback = callback }
      observe (opts) {
        assert.deepEqual(opts, { entryTypes: ['gc'] })
        fake.connected = true
      }

      takeRecords () { return fake.pending.splice(0) }
      disconnect () { fake.connected = false }
    }
  }
  return { fake, host: { process, load: (name) => name === 'perf_hooks' ? hooks : require(name) } }
}

const entry = (kind, milliseconds) => ({ detail: { kind }, duration: milliseconds })

test('heap figures are those of process.memoryUsage', (t) => {
  const { heap } = start(t).sample()
  const now = process.memoryUsage()
  const pairs = [[heap.total, now.heapTotal], [heap.used, now.heapUsed], [heap.external, now.external]]
  for (const [ours, theirs] of pairs) {
    assert.ok(ours > theirs / 2 && ours < theirs * 2, `${ours} bytes beside ${theirs}`)
  }
})

test('heap spaces are those of v8, named without _space', (t) => {
  const { spaces } = start(t).sample()
  const theirs = v8.getHeapSpaceStatistics()
  assert.deepEqual(spaces.map(({ name }) => name + '_space'), theirs.map((space) => space.space_name))
  const { total, used, available } = spaces.find(({ name }) => name === 'old')
  assert.ok(total >= used && used > 100_000 && available >= 0, `${total} ${used} ${available}`)
})

test('the version is that of the runtime', (t) => {
  assert.equal(start(t).sample().version, process.version)
})

test('an open server is one more handle and one more resource', async (t) => {
  const sampler = start(t)
  const before = sampler.sample()
  const server = net.createServer()
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const after = sampler.sample()

  const count = ({ types, counts }, type) => counts[types.indexOf(type)] ?? 0
  assert.equal(count(after.handles, 'Server'), count(before.handles, 'Server') + 1)
  assert.equal(count(after.resources, 'TCPServerWrap'), count(before.resources, 'TCPServerWrap') + 1)
  for (const tally of [after.handles, after.resources]) {
    assert.equal(tally.counts.reduce((a, b) => a + b), tally.total)
  }
})

test('a running request counts as a request', async (t) => {
  const sampler = start(t)
  const asked = new Promise((resolve) => fs.stat(__filename, resolve))
  const { requests } = sampler.sample()
  assert.ok(requests.types.includes('FSReqCallback'), requests.types.join())
  await asked
})

test('a handle without a usable constructor counts in the total only', (t) => {
  class Known {}
  const hostile = { get constructor () { throw new Error('no constructor') } }
  const _getActiveHandles = () => [new Known(), new Known(), Object.create(null), hostile, null]
  const { handles } = start(t, { process: { _getActiveHandles }, load () {} }).sample()
  assert.deepEqual(handles, { types: ['Known'], counts: [2], total: 5 })
})

test('event-loop delay shows a block of the loop, in seconds', async (t) => {
  const sampler = start(t)
  assert.deepEqual(plain(sampler.sample().eventLoopDelay), {})
  await until(() => sampler.sample().eventLoopDelay.mean > 0, 'the monitor has recorded a delay')
  const end = performance.now() + 60
  while (performance.now() < end);
  await until(() => sampler.sample().eventLoopDelay.max >= 0.06, 'the maximum delay shows the block')

  const { min, max, mean, stddev, p50, p90, p99 } = sampler.sample().eventLoopDelay
  assert.ok(min > 0.005 && max < 10, `${min} to ${max} s`)
  assert.ok(mean >= min && mean <= max && stddev > 0)
  assert.ok(min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max)
})

test('a sample within a second has the same delay window as the sample before, and a later sample has a new window', (t) => {
  const { fake, host } = fakePerfHooks()
  const sampler = start(t, host)
  const figures = { min: 0.01, max: 0.04, mean: 0.02, stddev: 0.005, p50: 0.05, p90: 0.09, p99: 0.099 }

  fake.now = 999
  assert.deepEqual(sampler.sample().eventLoopDelay, figures)
  assert.equal(fake.resets, 0)
  fake.now = 1000
  assert.deepEqual(sampler.sample().eventLoopDelay, figures)
  assert.equal(fake.resets, 1)
  fake.now = 1999
  sampler.sample()
  assert.equal(fake.resets, 1)
  fake.now = 2000
  sampler.sample()
  assert.equal(fake.resets, 2)
})

test('a sample that keeps the window does not restart it', (t) => {
  const { fake, host } = fakePerfHooks()
  const sampler = start(t, host)
  fake.now = 5000
  sampler.sample(true)
  assert.equal(fake.resets, 0)
  sampler.sample()
  assert.equal(fake.resets, 1)
})

test('an empty delay window keeps the previous figures', (t) => {
  const { fake, host } = fakePerfHooks()
  const sampler = start(t, host)
  const before = sampler.sample().eventLoopDelay
  Object.assign(fake.histogram, { min: 2 ** 63, max: 0, mean: NaN, stddev: NaN })
  assert.deepEqual(sampler.sample().eventLoopDelay, before)
})

test('every collection counts, also several in one batch', async (t) => {
  const sampler = start(t)
  const theirs = { major: [0, 0], minor: [0, 0], incremental: [0, 0], weakcb: [0, 0] }
  const kinds = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries()) {
      theirs[kinds[detail.kind]][0]++
      theirs[kinds[detail.kind]][1] += duration / 1000
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  t.after(() => observer.disconnect())

  for (let i = 0; i < 7; i++) gc()
  for (let i = 0; i < 5; i++) gc({ type: 'minor' })
  await until(() => theirs.major[0] >= 7 && theirs.minor[0] >= 5, 'the collections are reported')
  await until(() => {
    const sample = sampler.sample()
    return Object.keys(theirs).every((kind) => countOf(sample, kind) === theirs[kind][0])
  }, 'both observers agree')

  const sample = sampler.sample()
  for (const kind of ['major', 'minor']) {
    const sum = figuresOf(sample, kind)[7]
    assert.ok(Math.abs(sum - theirs[kind][1]) < 1e-9, `${kind}: ${sum} s beside ${theirs[kind][1]} s`)
  }
})

test('a collection counts in the first bucket whose bound it does not exceed', (t) => {
  const { fake, host } = fakePerfHooks()
  const sampler = start(t, host)
  assert.deepEqual(sampler.sample().gc, [])

  fake.deliver(entry(4, 1), entry(4, 1.5), entry(4, 5000), entry(4, 5001), entry(1, 0.5))
  fake.deliver(entry(8, 2000), entry(16, 0), entry(2, 100), entry(32, 1))
  fake.pending.push(entry(4, 1000)) // not delivered yet

  assert.deepEqual(sampler.sample().gc, [
    { kind: 'major', buckets: [1, 1, 0, 1, 0, 1, 1], sum: 0.001 + 0.0015 + 5 + 5.001 + 1 },
    { kind: 'minor', buckets: [1, 0, 1, 0, 0, 0, 0], sum: 0.0005 + 0.1 },
    { kind: 'incremental', buckets: [0, 0, 0, 0, 1, 0, 0], sum: 2 },
    { kind: 'weakcb', buckets: [1, 0, 0, 0, 0, 0, 0], sum: 0 }
  ])
  assert.equal(countOf(sampler.sample(), 'major'), 5, 'counted once')
})

test('stop ends both observers and may be called twice', () => {
  const { fake, host } = fakePerfHooks()
  const sampler = createSampler(constants.gcBounds, host)
  assert.ok(fake.enabled && fake.connected)
  sampler.stop()
  sampler.stop()
  assert.ok(!fake.enabled && !fake.connected)
  assert.equal(sampler.sample().version, process.version)
})

test('after stop nothing is counted, and no handle or timer remains', async () => {
  // The report also lists handles that do not keep the event loop alive, such as the timer of the monitor.
  process.report.excludeNetwork = true
  const timers = () => process.report.getReport().libuv.filter((h) => h.type === 'timer' && h.is_active).length
  const resources = process.getActiveResourcesInfo().sort()
  const before = timers()
  const samplers = Array.from({ length: 20 }, () => createSampler(constants.gcBounds))
  assert.ok(timers() >= before + 20)
  assert.deepEqual(process.getActiveResourcesInfo().sort(), resources, 'nothing keeps the process alive')

  const witness = createSampler(constants.gcBounds)
  for (const sampler of samplers) sampler.stop()
  const counts = samplers.map((sampler) => countOf(sampler.sample(), 'major'))
  const seen = countOf(witness.sample(), 'major')
  gc()
  await until(() => countOf(witness.sample(), 'major') > seen, 'the collection is reported')
  witness.stop()

  assert.deepEqual(samplers.map((sampler) => countOf(sampler.sample(), 'major')), counts)
  assert.deepEqual(process.getActiveResourcesInfo().sort(), resources)
  assert.ok(timers() <= before + 1, 'the monitors\' timers have stopped')
})

test('a sample has the figures of the process, but on Linux not its memory', (t) => {
  const cpu = { user: 1_500_000, system: 250_000 }
  const darwin = {
    platform: 'darwin',
    uptime: () => 10,
    cpuUsage: () => cpu,
    memoryUsage: () => ({ rss: 7000, heapTotal: 3000, heapUsed: 2000 })
  }
  const sample = start(t, { process: darwin, load () {} }).sample()
  assert.deepEqual(sample.process, { cpuUser: 1.5, cpuSystem: 0.25, residentMemory: 7000, uptime: 10 })
  assert.deepEqual(sample.heap, { total: 3000, used: 2000, external: undefined })
  const onLinux = start(t, { process: { ...darwin, platform: 'linux' }, load () {} }).sample().process
  assert.deepEqual(onLinux, { ...sample.process, residentMemory: undefined })
})

test('if memoryUsage() fails, the heap figures are those of v8', (t) => {
  const proc = { memoryUsage () { throw Object.assign(new Error('too many open files'), { code: 'EMFILE' }) } }
  const { heap } = start(t, { process: proc, load: require }).sample()
  const { heapTotal, heapUsed, external } = process.memoryUsage()
  for (const [ours, theirs] of [[heap.total, heapTotal], [heap.used, heapUsed], [heap.external, external]]) {
    assert.ok(ours > theirs / 2 && ours < theirs * 2, `${ours} bytes beside ${theirs}`)
  }
})

test('a figure that cannot be read is left out, once or always, and nothing throws', (t) => {
  const notHere = () => { throw Object.assign(new Error('not here'), { code: 'ERR_NOT_IMPLEMENTED' }) }
  let files = 0
  const proc = {
    version: 'v1.2.3',
    platform: 'linux',
    memoryUsage () {
      if (files === 0) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
      return { heapTotal: 3, heapUsed: 2, external: 1 }
    },
    getActiveResourcesInfo: notHere
  }
  const load = () => ({
    getHeapSpaceStatistics: notHere,
    monitorEventLoopDelay: notHere,
    PerformanceObserver: { supportedEntryTypes: ['mark'] }
  })
  const sampler = start(t, { process: proc, load })
  assert.deepEqual(plain(sampler.sample()), { version: 'v1.2.3' })
  files = 1
  assert.deepEqual(plain(sampler.sample()), { version: 'v1.2.3', heap: { total: 3, used: 2, external: 1 } })
})

test('loads and samples without process, require and built-in modules', () => {
  const context = vm.createContext()
  const load = (file) => {
    const source = fs.readFileSync(path.join(__dirname, '..', 'lib', file), 'utf8')
    const module = { exports: {} }
    vm.runInContext(`(function (module, require) {${source}\n})`, context)(module, (name) => {
      if (name !== './builtin') throw new Error('no such module')
      return load('builtin.js')
    })
    return module.exports
  }
  const sampler = load('node-metrics.js')([])
  assert.equal(JSON.stringify(sampler.sample()), '{}')
  sampler.stop()
})
