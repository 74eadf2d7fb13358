'use strict'

// This module is loaded before a program of the documents. When the program has started, the module fetches the
// page over HTTP, prints it as JSON and closes the servers. The time limit of the test ends a program that hangs.

const http = require('node:http')
const Module = require('node:module')
const { get } = require('./http')

const ours = require.resolve('../..')
let traceFunction

// Not in require.cache: `import` returns the exports that the module had when it was loaded.
const { _compile } = Module.prototype
Module.prototype._compile = function (...args) {
  const result = _compile.apply(this, args)
  if (this.filename === ours) this.exports = probed(this.exports)
  return result
}
require(ours)

function probed (HypertracePrometheus) {
  return options => {
    traceFunction = HypertracePrometheus(options)
    setImmediate(printPage, options)
    return traceFunction
  }
}

const { createServer } = http
let server
http.createServer = (...args) => {
  server = createServer(...args)
  return server
}

async function printPage ({ tls, auth } = {}) {
  if (server !== undefined && !server.listening) await new Promise(resolve => server.once('listening', resolve))
  const { port } = (server || traceFunction).address()
  const { headers, body } = await get({
    port,
    // The certificate is not verified here; tls.test.js does that.
    ...(tls && { secure: true, host: '127.0.0.1', rejectUnauthorized: false }),
    ...(auth && { auth: `${auth.username}:${auth.password}` })
  })
  console.log(JSON.stringify({ type: headers['content-type'], page: body }))
  if (server !== undefined) server.close()
  await traceFunction.stop()
}
