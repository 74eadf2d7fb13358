'use strict'

const net = require('node:net')

const READ = Buffer.allocUnsafeSlow(1024 * 1024)

/** The `Accept` header that Prometheus 3 sends with the feature flag `created-timestamp-zero-ingestion`. */
const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'

/** @typedef {{ gzip?: boolean, protobuf?: boolean }} Format */

/**
 * Sends the request of a Prometheus and resolves to the size of the response. Reads the response with the least work that Node.js
 * allows, so that a scrape takes little time on this side.
 *
 * @param {number} port
 * @param {Format} [format]
 * @returns {Promise<number>}
 */
function scrape (port, { gzip = false, protobuf = false } = {}) {
  return new Promise((resolve, reject) => {
    let size = 0
    let status = ''
    const callback = (length) => {
      if (size === 0) status = READ.latin1Slice(0, Math.min(length, 12))
      size += length
      return true
    }
    const socket = net.connect({ port, host: 'localhost', onread: { buffer: READ, callback } })
    socket.on('error', reject)
    socket.on('close', () => status === 'HTTP/1.1 200' ? resolve(size) : reject(new Error(`answered with "${status}"`)))
    const headers = [
      `Host: localhost:${port}`,
      'Connection: close',
      'User-Agent: Prometheus/3',
      'X-Prometheus-Scrape-Timeout-Seconds: 10',
      ...gzip ? ['Accept-Encoding: gzip'] : [],
      ...protobuf ? [`Accept: ${PROTOBUF}`] : []
    ]
    socket.write(`GET /metrics HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  })
}

module.exports = { scrape }
