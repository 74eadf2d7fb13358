'use strict'

/*
 * Serving the page: a port of our own, or that of another thread of this process. JavaScript only
 * answers questions here; requests are Rust's.
 */

const { invalidValue, systemError } = require('./errors')
const { joinBlocker, sharedOptions } = require('./options')
const { warnOfOpenPage } = require('./warnings')

/**
 * Serves the page, or joins the thread that does.
 *
 * @param {any} exporter
 * @param {import('./options').Options} options
 * @param {number | undefined} worker
 * @param {(peek?: number) => void} sample delivers a sample to the exporter; 1: takes nothing away from
 *   the next scrape
 * @returns {{ joined: boolean }}
 * @throws {Error} as Node's own server would emit, or if another thread has other options
 */
function listen (exporter, options, worker, sample) {
  const { host, port, register, auth, tls, allowedHosts } = options
  // Both are called from outside any of the application's code: what they threw would end it.
  const answerSample = (peek) => {
    try {
      sample(peek)
    } catch {
      exporter.decline()
    }
  }
  const answerPage = async (question) => {
    let page = null
    try {
      page = await register.metrics()
    } catch {
      // The server answers with what Rust owns, and says that the page is incomplete.
    }
    exporter.deliverPage(question, page, register.contentType)
  }
  const blocker = joinBlocker(options)
  const at = {
    host,
    port,
    worker,
    sharedOptions: sharedOptions(options),
    joinBlocker: blocker === null ? undefined : blocker.option,
    auth: auth ?? undefined,
    allowedHosts
  }
  const { joined, differs, failure } =
    exporter.listen(at, answerSample, register === null ? null : answerPage)
  if (failure != null) {
    if (failure.code === 'EADDRINUSE') failure.message += HINT
    throw systemError(failure)
  }
  if (differs != null) {
    const expected = blocker !== null && blocker.option === differs
      ? `${blocker.expected} in a thread that joins another at port ${port}`
      : `what it is in the thread that serves port ${port}`
    throw invalidValue(differs, expected, options[differs])
  }
  // Who has to show a certificate is known as well as who has to tell a password.
  if (!joined && auth === null && tls?.ca === undefined) warnOfOpenPage(exporter.address())
  return { joined }
}

const HINT = '. Other threads of the process that serves it may join it, from a worker thread of their own'

module.exports = listen
