'use strict'

/*
 * The clients of the soak test. A scraper checks each page. Hostile clients do not read, send garbage, and reset their connections.
 */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const https = require('node:https')
const net = require('node:net')
const { setTimeout: sleep } = require('node:timers/promises')
const tls = require('node:tls')
const zlib = require('node:zlib')

const TIMEOUT_MS = 20_000
const COUNTED = /^trace_counter\{(.*)\} (\d+)$/gm

/**
 * Returns a page, decompressed.
 *
 * @param {number} port
 * @param {{ agent?: https.Agent, compressed?: boolean }} [how]
 */
async function scrape (port, { agent, compressed = false } = {}) {
  const headers = { 'X-Prometheus-Scrape-Timeout-Seconds': '10', 'User-Agent': 'Prometheus/3', ...compressed ? { 'Accept-Encoding': 'gzip' } : {} }
  const request = https.get({ port, host: '127.0.0.1', path: '/metrics', headers, agent, rejectUnauthorized: false, timeout: TIMEOUT_MS })
  request.once('timeout', () => request.destroy(new Error('no page in time')))
  const [response] = await once(request, 'response')
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  assert.equal(response.statusCode, 200)
  const body = Buffer.concat(chunks)
  return (response.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body).toString()
}

/** Compares each page with the page before: no series occurs twice, and no value falls. */
class Pages {
  constructor () {
    /** @type {Map<string, number>} */
    this.values = new Map()
    /** The highest number of expired series that an exporter has reported. */
    this.expired = 0
  }

  /**
   * Checks a page, and returns the number of calls on the page.
   *
   * @param {string} page
   */
  check (page) {
    const values = new Map()
    for (const [, labels, text] of page.matchAll(COUNTED)) {
      assert.ok(!values.has(labels), `the page has a series twice: ${labels}`)
      values.set(labels, Number(text))
      const before = this.values.get(labels)
      assert.ok(before === undefined || Number(text) >= before, `a series fell from ${before} to ${text}: ${labels}`)
    }
    assert.match(page, /^process_cpu_seconds_total/m)
    this.values = values
    this.expired = Math.max(this.expired, Number(/^hypertrace_expired_total\{.*\} (\d+)$/m.exec(page)?.[1]))
    return Number(/^hypertrace_calls_total\{.*\} (\d+)$/m.exec(page)?.[1])
  }
}

/**
 * Connects and disconnects repeatedly until `isOver` returns true. On each connection, sends an unfinished request, garbage, or
 * requests whose responses it does not read.
 *
 * @param {() => number} portOf
 * @param {() => boolean} isOver
 */
async function hostileClient (portOf, isOver) {
  while (!isOver()) {
    const port = portOf()
    const connection = net.connect({ port, host: '127.0.0.1' })
    const socket = tls.connect({ socket: connection, rejectUnauthorized: false })
    for (const stream of [connection, socket]) stream.on('error', () => {})
    await Promise.race([once(socket, 'secureConnect').catch(() => {}), sleep(1000)])
    const way = Math.floor(Math.random() * 5)
    const request = 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n'
    if (way === 0) socket.write(request) // without the end of the head
    if (way === 1) socket.write(Buffer.from(Array.from({ length: 200 }, () => Math.floor(Math.random() * 256))))
    if (way === 2) socket.write(`${request}\r\n`.repeat(50)) // pipelined; no response is read
    if (way > 2) socket.write(`${request}Accept-Encoding: gzip\r\n\r\n`)
    if (way !== 4) socket.pause()
    await sleep(Math.random() * 3000)
    if (way % 2) connection.resetAndDestroy()
    socket.destroy()
    connection.destroy()
  }
}

module.exports = { Pages, hostileClient, scrape }
