'use strict'

/*
 * Opens exporters: without a server, with a port of their own, or at the port of another thread of this
 * process. Requests of scrapers are answered by Rust; it calls JavaScript for samples and for the page
 * of a register.
 */

const { invalidTls } = require('./access')
const { Exporter } = require('./binding')
const { invalidValue, systemError } = require('./errors')
const { joinBlocker, sharedOptions } = require('./options')
const { warnOfOpenPage } = require('./warnings')
const workerId = require('./worker-id')

/**
 * @typedef {import('../binding').Exporter} ExporterHandle
 * @typedef {import('./options').Options} Options
 * @typedef {import('./node-metrics').Sampler} Sampler
 *
 * @typedef {object} Opened
 * @property {ExporterHandle} exporter
 * @property {(keepsWindow?: boolean) => void} sample passes a sample of this thread to the exporter
 * @property {boolean} ownsPort this thread opened the port
 */

/**
 * @param {Options} options
 * @param {Sampler | null} sampler
 * @returns {Opened}
 * @throws {Error} that `net.Server` of Node.js would emit, or if the thread to join has other options
 */
function openExporter (options, sampler) {
  const { port, auth, tls } = options
  if (port === null) {
    if (tls !== null) checkTls(tls)
    const exporter = new Exporter(exporterOptions(options))
    return { exporter, sample: sampleInto(exporter, sampler), ownsPort: false }
  }
  const { exporter, joined } = listen(options, port, sampler)
  // Client certificates count as authentication.
  if (!joined && auth === null && tls?.ca === undefined) warnOfOpenPage(exporter.address())
  return { exporter, sample: sampleInto(exporter, sampler), ownsPort: !joined }
}

/** @param {import('./access').Tls} tls */
function checkTls (tls) {
  const unusable = Exporter.checkTls(tls)
  if (unusable !== null) throw invalidTls(tls, unusable)
}

/**
 * @param {Options} options
 * @returns {import('../binding').ExporterOptions}
 */
function exporterOptions ({ metricName, allowedProps, defaultLabels, maxSeries, seriesIdleTimeout, collectDefaults, startAtZero, prefix }) {
  const worker = workerId()
  return { metricName, allowedProps, defaultLabels, maxSeries, seriesIdleTimeout, collectDefaults, startAtZero, prefix, worker }
}

/**
 * @param {ExporterHandle} exporter
 * @param {Sampler | null} sampler
 * @returns {Opened['sample']}
 */
function sampleInto (exporter, sampler) {
  return (keepsWindow = false) => exporter.deliver(sampler === null ? {} : sampler.sample(keepsWindow))
}

/**
 * @param {Options} options
 * @param {number} port
 * @param {Sampler | null} sampler
 * @returns {{ exporter: ExporterHandle, joined: boolean }}
 */
function listen (options, port, sampler) {
  const { host, register, auth, tls, allowedHosts } = options
  const blocker = joinBlocker(options)
  const listenOptions = {
    host,
    port,
    sharedOptions: sharedOptions(options),
    joinBlocker: blocker?.option,
    auth: auth ?? undefined,
    tls: tls ?? undefined,
    allowedHosts
  }

  // Rust calls both functions outside of the application's code, where an error would end the process.
  /** @param {boolean} keepsWindow */
  const requestSample = (keepsWindow) => {
    const { exporter } = listening
    try {
      if (exporter !== undefined) sampleInto(exporter, sampler)(keepsWindow)
    } catch {
      exporter?.decline()
    }
  }
  /** @param {number} request */
  const requestPage = async (request) => {
    /** @type {import('../binding').JsPage | null} */
    let page = null
    try {
      if (register !== null) page = { text: await register.metrics(), contentType: register.contentType }
    } catch {
      // The server answers with the families that Rust has, and marks the page as incomplete.
    }
    listening.exporter?.deliverPage(request, page)
  }

  /** @type {import('../binding').Listening} */
  const listening = Exporter.listen(exporterOptions(options), listenOptions, requestSample, register === null ? null : requestPage)
  const { exporter, joined } = listening
  if (exporter !== undefined) return { exporter, joined }
  throw listenError(listening, options, blocker)
}

/**
 * @param {import('../binding').Listening} listening
 * @param {Options} options
 * @param {ReturnType<typeof joinBlocker>} blocker
 * @returns {Error}
 */
function listenError ({ unusableTls, differs, failure }, options, blocker) {
  const { port, tls } = options
  if (tls !== null && unusableTls !== undefined) return invalidTls(tls, unusableTls)
  if (failure !== undefined) {
    const hint = failure.code === 'EADDRINUSE' ? HINT : ''
    return systemError({ ...failure, message: failure.message + hint })
  }
  const option = /** @type {keyof Options} */ (differs)
  const expected = blocker !== null && blocker.option === option
    ? `${blocker.expected} in a thread that joins another at port ${port}`
    : `what it is in the thread that serves port ${port}`
  return invalidValue(option, expected, options[option])
}

const HINT = '. Other threads of the process that serves it may join it, from a worker thread of their own'

module.exports = openExporter
