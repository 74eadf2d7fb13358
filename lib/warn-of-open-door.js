'use strict'

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

let warned = false

/**
 * Says once in a process that other machines may read the page, and what to do.
 *
 * @param {{ address: string, port: number } | null} at
 */
function warnOfOpenDoor (at) {
  if (warned || at === null || LOOPBACK.test(at.address)) return
  if (typeof process === 'undefined' || typeof process.emitWarning !== 'function') return
  warned = true
  process.emitWarning(`The metrics page on ${at.address} port ${at.port} can be read by whoever reaches that port: ` +
    'it shows file paths and names out of this program.', {
    type: 'HypertraceWarning',
    code: 'HYPERTRACE_OPEN_PAGE',
    detail: 'Set auth: { username, password } or { bearer }, and tls; or leave host out, so that it listens on this machine only.'
  })
}

module.exports = warnOfOpenDoor
