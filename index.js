'use strict'

const { setSecureContext } = require('./lib/access')
const { constants } = require('./lib/binding')
const { invalidState } = require('./lib/errors')
const { createMetricProducer } = require('./lib/metric-producer')
const createSampler = require('./lib/node-metrics')
const { contentTypeOf, openExporter } = require('./lib/open-exporter')
const { readOptions } = require('./lib/options')
const { checkRegister, registerMetrics } = require('./lib/register-metrics')
const { createSeriesReader } = require('./lib/series')
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
  const sampler = options.collectDefaults === true ? createSampler(constants.gcBounds) : null
  const { exporter, sample, path, metricProducer, unregister } = open(options, sampler)

  // A page that is scraped before the first turn of the event loop, or while the event loop is blocked from the start, has
  // the figures of this sample. With the argument `true`, the sample does not reset the window of event-loop delay.
  if (options.port !== null) sample(true)

  const metrics = async () => {
    if (register !== null) return register.metrics()
    sample()
    return render(exporter)
  }

  /** @type {Promise<void> | null} */
  let stopped = null
  const stop = () => {
    if (stopped === null) {
      // From here on, the other threads of the port expire series without waiting for this thread to drop its cache.
      if (options.seriesIdleTimeout > 0) path.endCache()
      unregister()
      sampler?.stop()
      stopped = stopExporter(exporter)
    }
    return stopped
  }

  /** @type {import('./index').TraceFunction} */
  const traceFunction = Object.assign(path.trace, {
    metrics,
    stop,
    address: () => exporter.address(),
    ref: () => { exporter.setKeepsAlive(true); return traceFunction },
    /** @param {import('./index').SecureContext} context */
    setSecureContext: (context) => setSecureContext(exporter, options, context),
    unref: () => { exporter.setKeepsAlive(false); return traceFunction },
    contentType: constants.contentType,
    metricProducer,
    register: register ?? { metrics, contentType: constants.contentType }
  })
  if (register !== null) Object.defineProperty(traceFunction, 'contentType', { enumerable: true, get: () => contentTypeOf(register) })
  return traceFunction
}

/**
 * @param {import('./binding').Exporter} exporter
 * @returns {Promise<string>}
 */
function render (exporter) {
  return new Promise((resolve, reject) => exporter.render((page) => {
    if (page === undefined) reject(invalidState('The page is too long for a string: lower maxSeries, or scrape the port'))
    else resolve(page)
  }))
}

/**
 * Stops an exporter. It never rejects, because a rejection would end the process of an application that does
 * not wait for `stop()`: if the exporter cannot be stopped in the background, it is stopped at once.
 *
 * @param {import('./binding').Exporter} exporter
 * @returns {Promise<void>}
 */
function stopExporter (exporter) {
  return new Promise((resolve) => {
    try {
      exporter.stop(resolve)
    } catch {
      exporter.abort()
      resolve()
    }
  })
}

/**
 * Opens an exporter and its trace path, and registers its metrics. If one of these fails, nothing stays
 * open.
 *
 * @param {import('./lib/options').Options} options
 * @param {import('./lib/node-metrics').Sampler | null} sampler
 */
function open (options, sampler) {
  const { register, metricName, maxSeries } = options
  let opened
  try {
    opened = openExporter(options, sampler, { dropCache: () => path.dropCache(), lostCalls: () => path.lostCalls() })
    const { exporter, sample } = opened
    // This function is bound and is not a closure. The exporter keeps it alive, and a closure would keep the exporter alive.
    exporter.onBound(warnOfBound.bind(null, maxSeries))
    const path = createTrace(exporter, {
      ...options,
      propColumns: exporter.propColumns,
      cellBits: constants.cellBits,
      cacheLimit: Math.max(65_536, 4 * maxSeries)
    })
    const sweep = () => { if (exporter.sweep()) path.dropCache() }
    const families = () => { sample(); return exporter.families() }
    const metrics = { name: metricName, help: constants.counterHelp, readSeries: createSeriesReader(exporter), sweep, families }
    const unregister = register === null
      ? () => {}
      : registerMetrics(register, { ...metrics, reset: () => exporter.reset(), hasFamilies: options.collectDefaults !== false })
    const metricProducer = createMetricProducer({ ...metrics, startAtZero: options.startAtZero, opened: exporter.opened })
    return { exporter, sample, path, metricProducer, unregister }
  } catch (error) {
    opened?.exporter.abort()
    sampler?.stop()
    throw error
  }
}

module.exports = HypertracePrometheus
