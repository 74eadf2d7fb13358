'use strict'

// Loaded before a program of the README: once it has started, fetches its page over HTTP, prints it
// as JSON and stops what it left open. If a program hangs all the same, the test's time limit ends it.

const http = require('node:http')
const Module = require('node:module')

const ours = require.resolve('../..')
let traceFunction

// Here, and not in require.cache: `import` hands out what the module exported when it was loaded.
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
    setImmediate(look)
    return traceFunction
  }
}

const { createServer } = http
let server
http.createServer = (...args) => {
  server = createServer(...args)
  return server
}

async function look () {
  if (server !== undefined && !server.listening) await new Promise(resolve => server.once('listening', resolve))
  const { port } = (server || traceFunction).address()
  const res = await fetch(`http://localhost:${port}/metrics`, { headers: { connection: 'close' } })
  console.log(JSON.stringify({ type: res.headers.get('content-type'), page: await res.text() }))
  if (server !== undefined) server.close()
  await traceFunction.stop()
}
