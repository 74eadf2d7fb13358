'use strict'

const builtin = require('./builtin')

/**
 * V8's and libuv's own figures, read on the JavaScript thread when a scrape asks for them.
 *
 * What a runtime cannot tell is left out of the sample: nothing here throws, at loading or later.
 */

/** @typedef {{ types: string[], counts: number[], total: number }} Tally */
/** @typedef {{ kind: string, buckets: number[], sum: number }} GcKind */

/**
 * Everything is optional; bytes and seconds. The addon reads it field by field.
 *
 * @typedef {object} Sample
 * @property {string} [version] as `process.version`
 * @property {number[]} [heap] total, used, external
 * @property {string[]} [spaceNames]
 * @property {number[]} [spaceSizes] total, used, available of each space in turn
 * @property {Tally} [resources]
 * @property {Tally} [handles]
 * @property {Tally} [requests]
 * @property {number[]} [eventLoopDelay] min, max, mean, stddev, p50, p90, p99; empty as long as
 *   nothing has been recorded
 * @property {GcKind[]} [gc] the kinds seen so far
 * @property {number[]} [process] user CPU, system CPU, resident memory, start time; only where the
 *   addon cannot read them itself
 */

/**
 * Reads one part into the sample. May throw: then that part is missing this once.
 *
 * @typedef {(sample: Sample, peek: boolean) => void} Reader
 */

// Upper bounds of the histogram `nodejs_gc_duration_seconds`; the last bucket is +Inf. The addon
// holds the same list.
const GC_BOUNDS = [0.001, 0.01, 0.1, 1, 2, 5]

// V8's GCType bits. 2 is the minor mark-sweep, which `perf_hooks.constants` has no name for.
const GC_KINDS = new Map([[1, 'minor'], [2, 'minor'], [4, 'major'], [8, 'incremental'], [16, 'weakcb']])

const DELAY_RESOLUTION_MS = 10

// Reading the delay histogram starts it anew, as in prom-client, but at most this often: of two
// scrapes at about the same time the second must not find an empty window.
const DELAY_WINDOW_MS = 1000

/** @typedef {{ process?: any, load?: (name: string) => any }} Host */

/**
 * Starts to observe the garbage collector and the event loop. Neither keeps the process alive.
 *
 * @param {Host} [host] what the runtime offers; for tests
 * @returns {{ sample: (peek?: boolean) => Sample, stop: () => void }} `peek`: leaves what is told of the
 *   time since the last sample to the next one; `stop` ends both observers; `sample` may
 *   still be called then
 */
function createSampler (host = {}) {
  const proc = 'process' in host ? host.process : /** @type {any} */ (globalThis).process
  const load = host.load ?? ((name) => builtin(name, proc))
  const perfHooks = attempt(() => load('perf_hooks'))
  const delay = attempt(() => observeDelay(perfHooks))
  const gc = attempt(() => observeGc(perfHooks))

  const readers = [
    attempt(() => versionReader(proc)),
    attempt(() => heapReader(proc)),
    attempt(() => spacesReader(load('v8'))),
    tallyReader(proc, 'getActiveResourcesInfo', 'resources', String),
    tallyReader(proc, '_getActiveHandles', 'handles', constructorName),
    tallyReader(proc, '_getActiveRequests', 'requests', constructorName),
    attempt(() => processReader(proc)),
    delay?.read,
    gc?.read
  ].filter((reader) => reader !== undefined)

  return {
    sample (peek = false) {
      /** @type {Sample} */
      const sample = {}
      for (const read of readers) {
        try {
          read(sample, peek)
        } catch {}
      }
      return sample
    },
    stop () {
      attempt(() => delay?.stop())
      attempt(() => gc?.stop())
    }
  }
}

/**
 * @template T
 * @param {() => T} fn
 * @returns {T | undefined}
 */
function attempt (fn) {
  try {
    return fn()
  } catch {
    return undefined
  }
}

/**
 * @param {any} proc
 * @returns {Reader | undefined}
 */
function versionReader ({ version }) {
  if (typeof version !== 'string') return undefined
  return (sample) => { sample.version = version }
}

/**
 * @param {any} proc
 * @returns {Reader | undefined}
 */
function heapReader (proc) {
  if (typeof proc.memoryUsage !== 'function') return undefined
  return (sample) => {
    const { heapTotal, heapUsed, external } = proc.memoryUsage()
    sample.heap = external === undefined ? [heapTotal, heapUsed] : [heapTotal, heapUsed, external]
  }
}

/**
 * @param {any} v8
 * @returns {Reader | undefined}
 */
function spacesReader (v8) {
  v8.getHeapSpaceStatistics() // older versions of Bun have the function, and it throws
  return (sample) => {
    const names = []
    const sizes = []
    for (const space of v8.getHeapSpaceStatistics()) {
      names.push(space.space_name.replace(/_space.*/, ''))
      sizes.push(space.space_size, space.space_used_size, space.space_available_size)
    }
    sample.spaceNames = names
    sample.spaceSizes = sizes
  }
}

/**
 * @param {any} proc
 * @param {string} method what lists them
 * @param {'resources' | 'handles' | 'requests'} field
 * @param {(item: any) => string | undefined} typeOf
 * @returns {Reader | undefined}
 */
function tallyReader (proc, method, field, typeOf) {
  if (typeof proc?.[method] !== 'function') return undefined
  return (sample) => {
    const items = proc[method]()
    /** @type {Map<string, number>} */
    const counts = new Map()
    for (const item of items) {
      const type = typeOf(item)
      if (type !== undefined) counts.set(type, (counts.get(type) ?? 0) + 1)
    }
    sample[field] = { types: [...counts.keys()], counts: [...counts.values()], total: items.length }
  }
}

/**
 * A handle can be any object of the application's: one without a name counts in the total only.
 *
 * @param {any} item
 */
function constructorName (item) {
  const name = attempt(() => item.constructor.name)
  return typeof name === 'string' ? name : undefined
}

/**
 * On Linux the addon reads these from /proc, with the JavaScript thread blocked or not.
 *
 * @param {any} proc
 * @returns {Reader | undefined}
 */
function processReader (proc) {
  if (proc.platform === 'linux') return undefined
  const startTime = Math.round(Date.now() / 1000 - proc.uptime())
  return (sample) => {
    const { user, system } = proc.cpuUsage()
    sample.process = [user / 1e6, system / 1e6, proc.memoryUsage().rss, startTime]
  }
}

/** @param {any} perfHooks */
function observeDelay (perfHooks) {
  const histogram = perfHooks.monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  histogram.enable()
  let windowStart = perfHooks.performance.now()
  /** @type {number[]} */
  let figures = []

  return {
    /** @type {Reader} */
    read (sample, peek) {
      const { mean } = histogram
      // Nothing recorded since the last reset: the figures before stay true until there are newer.
      if (mean > 0) {
        figures = [
          histogram.min, histogram.max, mean, histogram.stddev,
          histogram.percentile(50), histogram.percentile(90), histogram.percentile(99)
        ].map((nanoseconds) => nanoseconds / 1e9)

        const now = perfHooks.performance.now()
        if (!peek && now - windowStart >= DELAY_WINDOW_MS) {
          histogram.reset()
          windowStart = now
        }
      }
      sample.eventLoopDelay = figures
    },
    stop () {
      histogram.disable()
    }
  }
}

/** @param {any} perfHooks */
function observeGc ({ PerformanceObserver }) {
  if (!PerformanceObserver.supportedEntryTypes.includes('gc')) return undefined
  /** @type {Map<string, GcKind>} */
  const kinds = new Map()
  const observer = new PerformanceObserver((/** @type {any} */ list) => add(list.getEntries()))
  observer.observe({ entryTypes: ['gc'] })

  /** @param {any[]} entries a batch; the collector often runs several times before it comes */
  function add (entries) {
    for (const { detail, duration } of entries) {
      const kind = GC_KINDS.get(detail?.kind)
      if (kind === undefined) continue
      const seconds = duration / 1000
      const histogram = kinds.get(kind) ?? { kind, buckets: Array(GC_BOUNDS.length + 1).fill(0), sum: 0 }
      const bucket = GC_BOUNDS.findIndex((bound) => seconds <= bound)
      histogram.buckets[bucket === -1 ? GC_BOUNDS.length : bucket]++
      histogram.sum += seconds
      kinds.set(kind, histogram)
    }
  }

  return {
    /** @type {Reader} */
    read (sample) {
      add(observer.takeRecords())
      sample.gc = [...kinds.values()]
    },
    stop () {
      observer.disconnect()
    }
  }
}

module.exports = createSampler
