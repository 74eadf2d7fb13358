'use strict'

/*
 * Preloaded (`node --require`) into the reference's own test file: what it takes for its package, `../`, is ours, and its fixed
 * ports are free ones. The file itself is not touched.
 */

const Module = require('node:module')
const path = require('node:path')

const suite = require.resolve('hypertrace-prometheus-reference/test/test.js')
const ours = path.resolve(__dirname, '..', '..')
const ports = JSON.parse(process.env.TEST_PORTS)

const resolveFilename = Module._resolveFilename
Module._resolveFilename = function (request, parent, ...rest) {
  const isSubject = request === '../' && parent?.filename === suite
  return resolveFilename.call(this, isSubject ? ours : request, parent, ...rest)
}

const compile = Module.prototype._compile
Module.prototype._compile = function (content, filename, ...rest) {
  if (filename === suite) {
    for (const [fixed, free] of Object.entries(ports)) content = content.replaceAll(fixed, free)
  }
  return compile.call(this, content, filename, ...rest)
}
