'use strict'

const net = require('node:net')

const READ = Buffer.allocUnsafeSlow(1024 * 1024)

/** Resolves to the size of the response. Reads with the least work that Node.js allows, so that the time is the server's. */
function scrape (port, gzip = false) {
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
    const encoding = gzip ? 'Accept-Encoding: gzip\r\n' : ''
    socket.write(`GET /metrics HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n${encoding}\r\n`)
  })
}

module.exports = { scrape }
