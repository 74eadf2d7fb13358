'use strict'

/*
 * Reads documents of a server. All requests use one connection: a server with `auth` does not delay the requests of a
 * connection that has sent the right credentials before.
 */

const http = require('node:http')
const https = require('node:https')
const { failureOfConnection, failureOfContent, failureOfStatus } = require('./failures')

const TIMEOUT_MS = 6000
const MAX_BYTES = 32 * 2 ** 20

/**
 * @typedef {object} Client
 * @property {(name: string, query: string) => Promise<any>} get resolves with a document; rejects with a `Failure`
 * @property {() => void} close ends the requests and the connection
 */

/**
 * @param {object} options
 * @param {string} options.base
 * @param {string | null} options.authorization
 * @param {boolean} options.insecure
 * @param {{ ca?: Buffer, cert?: Buffer, key?: Buffer }} options.tls
 * @returns {Client}
 */
function createClient ({ base, authorization, insecure, tls }) {
  const secure = base.startsWith('https:')
  const agent = secure
    ? new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: !insecure, ...tls })
    : new http.Agent({ keepAlive: true, maxSockets: 1 })
  const about = { base, authorization, hasClientCertificate: tls.cert !== undefined }
  const headers = {
    accept: 'application/json',
    'user-agent': 'hypertrace-prometheus-top',
    ...(authorization === null ? {} : { authorization })
  }

  /**
   * @param {string} name
   * @param {string} query
   * @returns {Promise<http.IncomingMessage & { body: string }>}
   */
  function send (name, query) {
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).get(new URL(`${name}?${query}`, base), { agent, headers }, (response) => {
        /** @type {Buffer[]} */
        const chunks = []
        let length = 0
        response.on('data', (/** @type {Buffer} */ chunk) => {
          chunks.push(chunk)
          length += chunk.length
          if (length > MAX_BYTES) request.destroy(new Error('the response is too long'))
        })
        response.on('error', fail)
        response.on('end', () => {
          clearTimeout(timer)
          resolve(Object.assign(response, { body: Buffer.concat(chunks).toString() }))
        })
      })
      const timer = setTimeout(() => request.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })), TIMEOUT_MS)
      request.on('error', fail)
      /** @param {Error} error */
      function fail (error) {
        clearTimeout(timer)
        reject(error)
      }
    })
  }

  return {
    async get (name, query) {
      const response = await send(name, query).catch((error) => { throw failureOfConnection(error, about) })
      const { statusCode: status = 0, headers: { location, 'www-authenticate': scheme }, body } = response
      if (status !== 200) throw failureOfStatus({ status, text: body, location, scheme }, about)
      try {
        const document = JSON.parse(body)
        if (document.schema === 1 && Array.isArray(document.rows)) return document
      } catch {}
      throw failureOfContent(about)
    },
    close () { agent.destroy() }
  }
}

module.exports = { createClient }
