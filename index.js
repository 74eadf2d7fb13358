'use strict'

const { Exporter } = require('./lib/load-binding')()
const { secure, setSecureContext } = require('./lib/access')
const keepAlive = require('./lib/keep-alive')
const listen = require('./lib/listen')
const createSampler = require('./lib/node-metrics')
const { readOptions } = require('./lib/options')
const { registerMetrics } = require('./lib/register-metrics')
const createTrace = require('./lib/trace')
const { warnOfBound } = require('./lib/warnings')
const workerId = require('./lib/worker-id')

/**
 * @param {import('./index').Options} [opts]
 * @returns {import('./index').TraceFunction}
 */
function HypertracePrometheus (opts) {
  const options = readOptions(opts)
  const { register } = options
  const worker = workerId()
  const exporter = new Exporter({ ...options, worker })
  secure(exporter, options.tls)
  const sampler = options.collectDefaults ? createSampler() : null
  const sample = (peek) => exporter.deliver(sampler === null ? {} : sampler.sample(peek === 1))

  const { trace, forget, forgetForGood } = createTrace(counterOf(exporter, options.maxSeries), {
    ...options,
    places: exporter.places,
    cacheLimit: Math.max(65_536, 4 * options.maxSeries)
  })

  let unregister = () => {}
  let stopSweeping = () => {}
  /** @type {ReturnType<typeof keepAlive> | null} */
  let alive = null
  try {
    if (register !== null) unregister = registerMetrics(register, metricsOf(exporter, sampler && sample))
    if (options.port !== null) {
      const { joined } = listen(exporter, options, worker, sample)
      if (!joined) alive = keepAlive()
    }
  } catch (error) {
    unregister()
    if (sampler !== null) sampler.stop()
    throw error
  }

  if (options.seriesIdleTimeout > 0) {
    const stopTimer = sweepEvery(options.seriesIdleTimeout / 4, () => { if (exporter.sweep()) forget() })
    stopSweeping = () => {
      stopTimer()
      // Other threads may let series go without asking this one then.
      forgetForGood()
    }
  }

  const metrics = () => {
    if (register !== null) return register.metrics()
    sample()
    return exporter.metrics()
  }

  /** @type {Promise<void> | null} */
  let stopped = null
  const stop = () => {
    if (stopped === null) {
      stopSweeping()
      stopped = new Promise((resolve) => exporter.stop(() => resolve()))
      unregister()
      if (sampler !== null) sampler.stop()
      if (alive !== null) alive.stop()
      alive = null
    }
    return stopped
  }

  /** @type {import('./index').TraceFunction} */
  const traceFunction = Object.assign(trace, {
    metrics,
    stop,
    address: () => /** @type {import('./index').Address | null} */ (exporter.address()),
    ref: () => { if (alive !== null) alive.ref(); return traceFunction },
    setSecureContext: (tls) => setSecureContext(exporter, options, tls),
    unref: () => { if (alive !== null) alive.unref(); return traceFunction },
    contentType: register === null ? exporter.contentType : register.contentType,
    register: register === null ? { metrics, contentType: exporter.contentType } : register
  })
  return traceFunction
}

/** What the trace path needs of Rust. */
function counterOf (exporter, maxSeries) {
  const slotOf = (slot) => {
    if (slot >= 0) return slot
    warnOfBound(maxSeries)
    return -1 - slot
  }
  return {
    intern: (values) => slotOf(exporter.intern(values)),
    internKnown: (site, object, parent, props) => {
      const slot = exporter.internKnown(site, object, parent, props)
      return slot === null ? -1 : slotOf(slot)
    },
    knowSite: (number, values) => exporter.knowSite(number, values),
    knowProps: (number, values) => exporter.knowProps(number, values),
    forget: () => exporter.forget(),
    lendCells: (index, page) => exporter.lendCells(index, page)
  }
}

/** What a registry of the user's own gets to hold. */
function metricsOf (exporter, sample) {
  return {
    name: exporter.metricName,
    help: exporter.help,
    source: exporter,
    families: sample && (() => { sample(); return exporter.families() })
  }
}

const LONGEST_SWEEP_MS = 60_000

/** Lets idle series go now and then, without keeping the process alive. */
function sweepEvery (ms, sweep) {
  const timer = setInterval(sweep, Math.min(Math.max(ms, 10), LONGEST_SWEEP_MS))
  timer.unref()
  return () => clearInterval(timer)
}

module.exports = HypertracePrometheus
