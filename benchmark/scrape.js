'use strict'

const net = require('node:net')

const READ = Buffer.allocUnsafeSlow(1024 * 1024)

/** The number of bytes that came. Read as cheaply as Node.js can, so that the server is what is timed. */
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
