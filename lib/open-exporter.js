'use strict'

/*
 * Opens exporters: without a server, with a port of their own, or at the port of another thread of this
 * process. Rust responds to the requests of scrapers, and calls JavaScript for samples and for the page of
 * a register.
 */

const { invalidTls, isOpen } = require('./access')
const { Exporter, constants } = require('./binding')
const { invalidJson, invalidState, invalidValue, systemError } = require('./errors')
const { joinBlocker, sharedOptions } = require('./options')
const processName = require('./process-name')
const { warnOfOpenPage } = require('./warnings')
const workerId = require('./worker-id')

/**
 * @typedef {import('../binding').Exporter} ExporterHandle
 * @typedef {import('./options').Options} Options
 * @typedef {import('./node-metrics').Sampler} Sampler
 * @typedef {Pick<import('./trace').TracePath, 'dropCache' | 'lostCalls'>} Path
 *
 * @typedef {(keepsWindow?: boolean) => void} TakeSample passes a sample of this thread to the exporter, and
 *   drops the cache of the trace path if series expire; does not throw
 */

/**
 * @param {Options} options
 * @param {Sampler | null} sampler
 * @param {Path} path
 * @returns {{ exporter: ExporterHandle, sample: TakeSample }}
 * @throws {Error} as `net.Server` of Node.js would emit it, or if the thread to join has other options
 */
function openExporter (options, sampler, path) {
  const { port, tls } = options
  if (port === null) {
    if (tls !== null) checkTls(tls)
    const exporter = new Exporter(exporterOptions(options))
    return { exporter, sample: samplesOf(exporter, sampler, path) }
  }
  const { exporter, joined, sample } = listen(options, port, sampler, path)
  if (!joined && isOpen(options)) warnOfOpenPage(exporter.address())
  return { exporter, sample }
}

/** @param {import('./access').Tls} tls */
function checkTls (tls) {
  const unusable = Exporter.checkTls(tls)
  if (unusable !== null) throw invalidTls(tls, unusable)
}

/**
 * @param {Options} options
 * @returns {import('../binding').ExporterOptions & { __proto__: null }}
 */
function exporterOptions ({ metricName, allowedProps, defaultLabels, maxSeries, seriesIdleTimeout, startAtZero, prefix, collectDefaults, history }) {
  return {
    __proto__: null,
    metricName,
    allowedProps,
    defaultLabels,
    maxSeries,
    seriesIdleTimeout,
    startAtZero,
    prefix,
    collectRuntime: collectDefaults === true,
    collectOwn: collectDefaults !== false,
    history,
    processName: processName(),
    nodeVersion: runtimeVersion(),
    worker: workerId()
  }
}

/** @returns {string | undefined} */
function runtimeVersion () {
  try {
    const { version } = globalThis.process
    return typeof version === 'string' ? version : undefined
  } catch {}
}

/**
 * @param {ExporterHandle} exporter
 * @param {Sampler | null} sampler
 * @param {Path} path
 * @returns {TakeSample}
 */
function samplesOf (exporter, sampler, path) {
  return (keepsWindow = false) => {
    try {
      const sample = sampler === null ? {} : sampler.sample(keepsWindow)
      sample.lostCalls = path.lostCalls()
      if (exporter.deliver(sample)) path.dropCache()
    } catch {
      // An application may have changed what the sampler reads. The page keeps the last sample.
      exporter.decline()
    }
  }
}

/**
 * @param {Options} options
 * @param {number} port
 * @param {Sampler | null} sampler
 * @param {Path} path
 * @returns {{ exporter: ExporterHandle, joined: boolean, sample: TakeSample }}
 */
function listen (options, port, sampler, path) {
  const { host, register, auth, tls, allowedHosts, history, cluster } = options
  const blocker = joinBlocker(options)
  const listenOptions = {
    __proto__: null,
    host,
    port,
    sharedOptions: sharedOptions(options),
    joinBlocker: blocker?.option,
    auth: auth ?? undefined,
    tls: tls ?? undefined,
    allowedHosts,
    cluster
  }

  // Rust calls these functions outside of the application's code, where an error or a rejection would
  // end the process. So none of them may throw or reject.
  /** @param {boolean} keepsWindow */
  const requestSample = (keepsWindow) => sample?.(keepsWindow)
  /** @param {number} request */
  const requestPage = async (request) => {
    const { exporter } = listening
    if (exporter?.beginPage(request)) exporter.deliverPage(request, await renderRegister(register))
  }

  const answerQuestion = () => {
    const { exporter } = listening
    try {
      exporter?.answer(sampler === null ? Object.create(null) : sampler.answer())
    } catch {
      // An application may have changed what the sampler reads. An answer without figures also shows that the event loop turns.
      exporter?.answer(Object.create(null))
    }
  }

  /** @type {import('../binding').Listening} */
  const listening = Exporter.listen(
    exporterOptions(options), listenOptions, requestSample,
    register === null ? null : requestPage,
    history === 0 ? null : answerQuestion
  )
  const { exporter, joined } = listening
  const sample = exporter && samplesOf(exporter, sampler, path)
  if (exporter !== undefined && sample !== undefined) return { exporter, joined, sample }
  throw listenError(listening, options, blocker)
}

/**
 * Renders a register. The application can change the register at any time, so its results are checked each time.
 *
 * @param {import('../index').Registry | null} register
 * @returns {Promise<import('../binding').JsPage | null>} `null` if the register does not return a page; then the server
 *   responds with only the families that Rust writes. Does not reject.
 */
async function renderRegister (register) {
  try {
    const text = await register?.metrics()
    return typeof text === 'string' ? { text, contentType: contentTypeOf(register) } : null
  } catch {
    return null
  }
}

/**
 * Returns the content type of a register, or the content type of this package if the register has none.
 *
 * @param {import('../index').Registry | null} register
 * @returns {string}
 */
function contentTypeOf (register) {
  try {
    const contentType = register?.contentType
    if (typeof contentType === 'string') return contentType
  } catch {}
  return constants.contentType
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
    const hint = failure.code === 'EADDRINUSE' && port !== null ? `. ${portInUse(port, options.cluster)}` : ''
    return systemError({ ...failure, message: failure.message + hint })
  }
  const { option, expected, isOfProcess } = differs ?? { option: 'port', isOfProcess: false }
  if (option === 'version') return invalidState(`The process that serves port ${port} has version ${expected} of hypertrace-prometheus, and this process has another version. With cluster: true, all processes must have the same version`)
  const value = options[/** @type {keyof Options} */ (option)]
  if (blocker !== null && blocker.option === option) {
    return invalidValue(option, `${blocker.expected} in a thread that joins another at port ${port}`, value)
  }
  const server = `the ${isOfProcess ? 'process' : 'thread'} that serves port ${port}`
  return expected === undefined
    ? invalidValue(option, `the same as in ${server}`, value)
    : invalidJson(option, `${expected}, as in ${server}`, value)
}

/**
 * @param {number} port
 * @param {boolean} cluster
 */
function portInUse (port, cluster) {
  const whose = cluster
    ? 'A program without cluster: true, one of another user, one that does not respond, or another exporter of this thread, has the port'
    : 'Another program, or another exporter of this thread, has the port'
  const remedy = cluster ? '' : '. Processes of one application share a port if each sets cluster: true'
  return `${whose}: lsof -i :${port} (Windows: netstat -ano) shows which${remedy}. Port 0 selects a free one`
}

module.exports = { contentTypeOf, exporterOptions, openExporter }
