'use strict'

const http = require('node:http')

/**
 * One GET on a connection of its own, given up after five seconds.
 * @param {{ port: number, host?: string, path?: string }} where
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: string }>}
 */
function get ({ port, host = 'localhost', path = '/metrics' }) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, agent: false, timeout: 5000 }, (response) => {
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
  })
}

module.exports = { get }
