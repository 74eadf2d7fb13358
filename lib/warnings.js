'use strict'

/*
 * Process warnings: each is emitted once in a process, or once for a port, and says what to do. Runtimes without
 * `process.emitWarning` get none.
 */

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

/** @type {Set<string>} */
const emitted = new Set()

/**
 * Emits a warning. Its errors are caught, because an application may have replaced `process.emitWarning`, and
 * a warning must not make a call of the application fail.
 *
 * @param {string} key identifies the warning in this process
 * @param {string} code
 * @param {string} message
 * @param {string} detail
 */
function warnOnce (key, code, message, detail) {
  if (emitted.has(key)) return
  try {
    if (typeof globalThis.process?.emitWarning !== 'function') return
    emitted.add(key)
    process.emitWarning(message, { type: 'HypertraceWarning', code, detail })
  } catch {}
}

/**
 * Warns that the number of series is near its limit.
 *
 * @param {number} maxSeries
 */
function warnOfBound (maxSeries) {
  warnOnce('bound', 'HYPERTRACE_MAX_SERIES',
    `The trace counter nears its bound of ${maxSeries} series: new label sets are ` +
    'counted without object ids and properties from here on. No count is lost.',
    "Leave labels out with omitLabels: ['object_id', 'parent_object_id'], allow fewer props, or raise maxSeries.")
}

/**
 * Warns that other machines can read the page without credentials.
 *
 * @param {{ address: string, port: number } | null} served the address that the server listens on
 */
function warnOfOpenPage (served) {
  if (served === null || LOOPBACK.test(served.address)) return
  warnOnce(`open page ${served.port}`, 'HYPERTRACE_OPEN_PAGE',
    `The metrics page on ${served.address} port ${served.port} can be read by everyone who can reach that port: ` +
    'it shows file paths and names from this program.',
    'Set auth: { username, password } or { bearer }, and tls; or omit host, so that the server listens on this machine only.')
}

/**
 * Warns of an option that has no effect, or another effect than the application probably expects.
 *
 * @param {string} message
 * @param {string} detail what to do
 */
function warnOfOption (message, detail) {
  warnOnce(message, 'HYPERTRACE_OPTION', message, detail)
}

module.exports = { warnOfBound, warnOfOpenPage, warnOfOption }
