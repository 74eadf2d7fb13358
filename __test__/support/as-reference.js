'use strict'

/*
 * Preloaded (`node --require`) into the reference's own test file: what it takes for its package, `../`, is the module that
 * TEST_SUBJECT names, and its fixed ports are free ones. The file itself is not touched.
 */

const http = require('node:http')
const Module = require('node:module')

const suite = require.resolve('hypertrace-prometheus-reference/test/test.js')
const subject = require.resolve(process.env.TEST_SUBJECT)
const ports = JSON.parse(process.env.TEST_PORTS)

// The file starts and stops servers on one port, and its client may take a kept connection whose end it has not yet read: under
// Node 20 the reference itself fails its suite that way. It was written when clients kept none.
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
