'use strict'

/*
 * Runs the unchanged test file of the reference with another package; `node --require` loads this module first. In the test
 * file, `require('../')` resolves to the module in TEST_SUBJECT, and the free ports in TEST_PORTS replace the fixed ports.
 */

const http = require('node:http')
const Module = require('node:module')

const suite = require.resolve('hypertrace-prometheus-reference/test/test.js')
const subject = require.resolve(process.env.TEST_SUBJECT)
const ports = JSON.parse(process.env.TEST_PORTS)

// The test file starts and stops servers on one port, and a keep-alive client may reuse a connection that the server has just
// closed. For this reason the reference fails its own tests on Node.js 20.
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
