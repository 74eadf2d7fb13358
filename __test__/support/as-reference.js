'use strict'

/*
 * Preloaded (`node --require`) into the reference's own test file, which is not changed: its import of its package, `../`,
 * resolves to the module in TEST_SUBJECT, and its fixed ports are replaced by the free ones in TEST_PORTS.
 */

const http = require('node:http')
const Module = require('node:module')

const suite = require.resolve('hypertrace-prometheus-reference/test/test.js')
const subject = require.resolve(process.env.TEST_SUBJECT)
const ports = JSON.parse(process.env.TEST_PORTS)

// The file starts and stops servers on one port, and a keep-alive client may reuse a connection whose end it has not read yet.
// The reference itself fails its suite in that way on Node.js 20.
http.globalAgent = new http.Agent({ keepAlive: false })

const resolveFilename = Module._resolveFilename
Module._resolveFilename = function (request, parent, ...rest) {
  const isSubject = request === '../' && parent?.filename === suite
  return resolveFilename.call(this, isSubject ? subject : request, parent, ...rest)
}

const compile = Module.prototype._compile
Module.prototype._compile = function (content, filename, ...rest) {
  if (filename === suite) {
    for (const [fixed, free] of Object.entries(ports)) content = content.replaceAll(fixed, free)
  }
  return compile.call(this, content, filename, ...rest)
}
