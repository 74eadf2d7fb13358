'use strict'

// An application that traces a module, in CommonJS. Run `node examples/app.cjs` and open
// http://localhost:4343/. Ctrl-C ends it.

const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const traceFunction = HypertracePrometheus({
  port: Number(process.env.PORT || 4343),
  allowedProps: ['someCustom']
})
setTraceFunction(traceFunction) // before the traced objects are created

const mod = new SomeModule()
mod.get()

const url = `http://localhost:${traceFunction.address().port}/`
console.log(`Live page: ${url}`)
console.log(`Metrics: ${url}metrics`)
process.once('SIGINT', () => traceFunction.stop()) // closes the server, so that the process ends
