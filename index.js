'use strict'

const { setSecureContext } = require('./lib/access')
const { constants } = require('./lib/binding')
const keepAlive = require('./lib/keep-alive')
const createSampler = require('./lib/node-metrics')
const openExporter = require('./lib/open-exporter')
const { readOptions } = require('./lib/options')
const { checkRegister, registerMetrics } = require('./lib/register-metrics')
const createTrace = require('./lib/trace')
const { warnOfBound } = require('./lib/warnings')

/**
 * @param {import('./index').Options} [opts]
 * @returns {import('./index').TraceFunction}
 */
function HypertracePrometheus (opts) {
  const options = readOptions(opts)
  const { register } = options
  if (register !== null) checkRegister(register, options.metricName)
  const sampler = options.collectDefaults ? createSampler(constants.gcBounds) : null
  const { exporter, sample, ownsPort, unregister } = open(options, sampler)
  const alive = ownsPort ? keepAlive() : null

  const { trace, forget, forgetForGood } = createTrace(counterOf(exporter, options.maxSeries), {
    ...options,
    places: exporter.propColumns,
    cacheLimit: Math.max(65_536, 4 * options.maxSeries)
  })
  const stopSweeping = options.seriesIdleTimeout === 0
    ? () => {}
    : sweepEvery(options.seriesIdleTimeout / 4, () => { if (exporter.sweep()) forget() }, forgetForGood)

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
      sampler?.stop()
      alive?.stop()
    }
    return stopped
  }

  /** @type {import('./index').TraceFunction} */
  const traceFunction = Object.assign(trace, {
    metrics,
    stop,
    address: () => exporter.address(),
    ref: () => { if (stopped === null) alive?.ref(); return traceFunction },
    /** @param {import('./index').SecureContext} context */
    setSecureContext: (context) => setSecureContext(exporter, options, context),
    unref: () => { if (stopped === null) alive?.unref(); return traceFunction },
    contentType: register === null ? constants.contentType : register.contentType,
    register: register === null ? { metrics, contentType: constants.contentType } : register
  })
  return traceFunction
}

/**
 * Opens an exporter and registers its metrics. If either fails, nothing stays open.
 *
 * @param {import('./lib/options').Options} options
 * @param {import('./lib/node-metrics').Sampler | null} sampler
 */
function open (options, sampler) {
  const { register, metricName } = options
  let opened
  try {
    opened = openExporter(options, sampler)
    const { exporter, sample } = opened
    const families = sampler === null ? null : () => { sample(); return exporter.families() }
    const unregister = register === null
      ? () => {}
      : registerMetrics(register, { name: metricName, help: constants.counterHelp, exporter, families })
    return { ...opened, unregister }
  } catch (error) {
    opened?.exporter.abort()
    sampler?.stop()
    throw error
  }
}

/**
 * Adapts an exporter to the trace path.
 *
 * @param {import('./binding').Exporter} exporter
 * @param {number} maxSeries
 */
function counterOf (exporter, maxSeries) {
  /** @param {number} slot */
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

const LONGEST_SWEEP_MS = 60_000

/**
 * Expires idle series now and then, without keeping the process alive.
 *
 * @param {number} ms
 * @param {() => void} sweep
 * @param {() => void} forgetForGood from the end on, other threads may expire series without this one
 * @returns {() => void} ends it
 */
function sweepEvery (ms, sweep, forgetForGood) {
  const timer = setInterval(sweep, Math.min(Math.max(ms, 10), LONGEST_SWEEP_MS))
  timer.unref()
  return () => {
    clearInterval(timer)
    forgetForGood()
  }
}

module.exports = HypertracePrometheus
