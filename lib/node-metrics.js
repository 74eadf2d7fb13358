'use strict'

/*
 * Samples of the JavaScript thread: the figures of V8 and libuv, read when a scrape requests them.
 *
 * Nothing here throws: a figure that the runtime does not have is left out of the sample.
 */

const builtin = require('./builtin')

/**
 * @typedef {import('../binding').NodeSample} Sample
 * @typedef {import('../binding').NodeAnswer} Answer
 * @typedef {import('../binding').NodeGcKind} GcKind
 *
 * @typedef {object} Sampler
 * @property {(keepsWindow?: boolean) => Sample} sample takes a sample; with `keepsWindow`, the window of
 *   event-loop delay is not reset
 * @property {() => Answer} answer reads the few figures that the recorder requests, in little time
 * @property {() => void} stop ends both observers; `sample` may still be called
 *
 * @typedef {{ process?: any, load?: (name: string) => any }} Host
 */

/**
 * Reads some figures into the sample. If a reader throws, the sample does not have these figures.
 *
 * @typedef {(sample: Sample, keepsWindow: boolean) => void} Reader
 */

// The bits of V8's GCType. 2 is the minor mark-sweep, which `perf_hooks.constants` does not name.
const GC_KINDS = new Map([[1, 'minor'], [2, 'minor'], [4, 'major'], [8, 'incremental'], [16, 'weakcb']])

const DELAY_RESOLUTION_MS = 10

// A sample restarts the delay histogram, as in prom-client, but at most once in this time: the second of two
// scrapes at about the same time must not find an empty window.
const DELAY_WINDOW_MS = 1000

/**
 * Starts to observe the garbage collector and the event loop. Neither observer keeps the process alive.
 *
 * @param {number[]} gcBounds upper bounds of the buckets of garbage collections, in seconds
 * @param {Host} [host] replaces parts of the runtime, for tests
 * @returns {Sampler}
 */
function createSampler (gcBounds, host = {}) {
  const proc = Object.hasOwn(host, 'process') ? host.process : globalThis.process
  const load = host.load ?? ((name) => builtin(name, proc))
  const perfHooks = attempt(() => load('perf_hooks'))
  const v8 = attempt(() => load('v8'))
  const delay = attempt(() => observeDelay(perfHooks))
  const gc = attempt(() => observeGc(perfHooks, gcBounds))

  const readers = [
    attempt(() => versionReader(proc)),
    heapReader(proc, v8),
    attempt(() => spacesReader(v8)),
    tallyReader(proc, 'getActiveResourcesInfo', 'resources', String),
    tallyReader(proc, '_getActiveHandles', 'handles', constructorName),
    tallyReader(proc, '_getActiveRequests', 'requests', constructorName),
    attempt(() => processReader(proc)),
    delay?.read,
    gc?.read
  ].filter((reader) => reader !== undefined)
  const heapUsed = attempt(() => heapUsedReader(proc, v8))
  const readProcess = proc?.platform === 'linux' ? undefined : attempt(() => processReader(proc))

  return {
    sample (keepsWindow = false) {
      // Without a prototype: a field that is left out must not be found on `Object.prototype`.
      /** @type {Sample} */
      const sample = Object.create(null)
      for (const read of readers) {
        try {
          read(sample, keepsWindow)
        } catch {}
      }
      return sample
    },
    answer () {
      /** @type {Answer & Sample} */
      const answer = Object.create(null)
      attempt(() => { answer.heapUsed = heapUsed?.() })
      attempt(() => readProcess?.(answer, true))
      return answer
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
 * @param {any} v8
 * @returns {Reader | undefined}
 */
function heapReader (proc, v8) {
  if (typeof proc?.memoryUsage !== 'function') return undefined
  return (sample) => {
    const usage = attempt(() => proc.memoryUsage())
    if (usage !== undefined) {
      sample.heap = { total: usage.heapTotal, used: usage.heapUsed, external: usage.external }
    } else {
      // To read the resident memory, memoryUsage() opens a file of /proc on Linux. /proc may be hidden.
      const heap = v8.getHeapStatistics()
      sample.heap = { total: heap.total_heap_size, used: heap.used_heap_size, external: heap.external_memory }
    }
  }
}

/**
 * Returns a function that reads only the used heap. memoryUsage() opens a file of /proc on Linux, so it is called
 * only in a runtime without getHeapStatistics().
 *
 * @param {any} proc
 * @param {any} v8
 * @returns {() => number | undefined}
 */
function heapUsedReader (proc, v8) {
  if (typeof v8?.getHeapStatistics === 'function') return () => v8.getHeapStatistics().used_heap_size
  return () => proc.memoryUsage().heapUsed
}

/**
 * @param {any} v8
 * @returns {Reader | undefined}
 */
function spacesReader (v8) {
  v8.getHeapSpaceStatistics() // throws in older versions of Bun
  return (sample) => {
    /** @type {any[]} */
    const spaces = v8.getHeapSpaceStatistics()
    sample.spaces = spaces.map((space) => ({
      name: space.space_name.replace(/_space.*/, ''),
      total: space.space_size,
      used: space.space_used_size,
      available: space.space_available_size
    }))
  }
}

/**
 * @param {any} proc
 * @param {string} method lists the objects to count
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
 * Returns the name of a handle's class. A handle can be any object of the application. A handle without
 * a name counts in the total only.
 *
 * @param {any} item
 */
function constructorName (item) {
  const name = attempt(() => item.constructor.name)
  return typeof name === 'string' ? name : undefined
}

/**
 * Returns a reader of the figures of the process. On Linux the addon reads them from /proc, also while the JavaScript
 * thread is blocked. The figures of the sample are shown if /proc is hidden or no file can be opened.
 *
 * @param {any} proc
 * @returns {Reader | undefined}
 */
function processReader (proc) {
  const readsMemory = proc.platform !== 'linux' // on Linux the addon reads the memory from /proc
  return (sample) => {
    const { user, system } = proc.cpuUsage()
    const residentMemory = readsMemory ? proc.memoryUsage().rss : undefined
    sample.process = { cpuUser: user / 1e6, cpuSystem: system / 1e6, residentMemory, uptime: proc.uptime() }
  }
}

/** @param {any} perfHooks */
function observeDelay (perfHooks) {
  const histogram = perfHooks.monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  histogram.enable()
  let windowStart = perfHooks.performance.now()
  /** @type {import('../binding').NodeDelay} */
  let figures = Object.create(null)

  return {
    /** @type {Reader} */
    read (sample, keepsWindow) {
      const { mean } = histogram
      // If nothing was recorded since the last reset, the previous figures remain.
      if (mean > 0) {
        figures = {
          min: histogram.min / 1e9,
          max: histogram.max / 1e9,
          mean: mean / 1e9,
          stddev: histogram.stddev / 1e9,
          p50: histogram.percentile(50) / 1e9,
          p90: histogram.percentile(90) / 1e9,
          p99: histogram.percentile(99) / 1e9
        }
        const now = perfHooks.performance.now()
        if (!keepsWindow && now - windowStart >= DELAY_WINDOW_MS) {
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

/**
 * @param {any} perfHooks
 * @param {number[]} bounds
 */
function observeGc ({ PerformanceObserver }, bounds) {
  if (!PerformanceObserver.supportedEntryTypes.includes('gc')) return undefined
  /** @type {Map<string, GcKind>} */
  const kinds = new Map()
  const observer = new PerformanceObserver((/** @type {any} */ list) => attempt(() => add(list.getEntries())))
  observer.observe({ entryTypes: ['gc'] })

  /** @param {any[]} entries one entry for each run of the collector since the last delivery */
  function add (entries) {
    for (const { detail, duration } of entries) {
      const kind = GC_KINDS.get(detail?.kind)
      if (kind === undefined) continue
      const seconds = duration / 1000
      const histogram = kinds.get(kind) ?? { kind, buckets: Array(bounds.length + 1).fill(0), sum: 0 }
      const bucket = bounds.findIndex((bound) => seconds <= bound)
      histogram.buckets[bucket === -1 ? bounds.length : bucket]++
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
