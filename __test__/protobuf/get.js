'use strict'

const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')

/** The header that Prometheus 3 sends with the feature flag `created-timestamp-zero-ingestion`. */
const ACCEPT = [
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6',
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5', 'application/openmetrics-text;version=0.0.1;q=0.4',
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3', 'text/plain;version=0.0.4;q=0.2', '*/*;q=0.1'
].join(',')

/**
 * Requests the page in the protobuf format, and resolves with the unchanged bytes of its body.
 *
 * @param {number} port
 * @param {http.RequestOptions} [more]
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: Buffer }>}
 */
async function getProtobuf (port, { headers, ...more } = {}) {
  const request = http.request({
    host: '127.0.0.1', port, path: '/metrics', agent: false, timeout: 10_000, headers: { accept: ACCEPT, ...headers }, ...more
  })
  request.on('timeout', () => request.destroy(new Error('no answer within ten seconds')))
  request.end()
  const [response] = await once(request, 'response')
  const chunks = await response.toArray()
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

/** Does the same as `getProtobuf` over HTTP/1.0, which the client of Node.js does not support. */
async function getProtobuf10 (port) {
  const socket = net.connect({ port, host: '127.0.0.1', timeout: 10_000 })
  socket.on('timeout', () => socket.destroy(new Error('no answer within ten seconds')))
  socket.write(`GET /metrics HTTP/1.0\r\nAccept: ${ACCEPT}\r\n\r\n`)
  const response = Buffer.concat(await socket.toArray())
  const end = response.indexOf('\r\n\r\n')
  const [line, ...lines] = response.toString('latin1', 0, end).split('\r\n')
  const headers = Object.fromEntries(lines.map((text) => text.split(': ')).map(([name, value]) => [name.toLowerCase(), value]))
  return { status: Number(line.split(' ')[1]), headers, body: response.subarray(end + 4) }
}

module.exports = { ACCEPT, getProtobuf, getProtobuf10 }
