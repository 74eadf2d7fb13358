'use strict'

const http = require('node:http')
const https = require('node:https')

/**
 * Sends one request, by default a GET on a connection of its own, with a timeout of five seconds.
 * @param {{ port: number, host?: string, path?: string } & import('node:https').RequestOptions & { secure?: boolean }} where
 * secure: over TLS
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: string }>}
 */
function get ({ port, host = 'localhost', path = '/metrics', secure = false, ...more }) {
  return new Promise((resolve, reject) => {
    const { request: send } = secure ? https : http
    const request = send({ host, port, path, agent: false, timeout: 5000, ...defined(more) }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.concat(chunks).toString()
      }))
    })
    request.on('timeout', () => request.destroy(new Error('no answer within five seconds')))
    request.on('error', reject)
    request.end()
  })
}

/** Removes undefined headers, which Node.js' client rejects. */
function defined ({ headers = {}, ...more }) {
  if (Array.isArray(headers)) return { headers, ...more }
  return { headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)), ...more }
}

module.exports = { get }
