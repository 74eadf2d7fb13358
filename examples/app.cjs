'use strict'

// An application that traces a module, in CommonJS. `node examples/app.cjs`, then open
// http://localhost:4343/metrics. Ctrl-C ends it.

const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const traceFunction = HypertracePrometheus({
  port: Number(process.env.PORT || 4343),
  allowedProps: ['someCustom']
})
setTraceFunction(traceFunction) // before the objects to be traced are made

const mod = new SomeModule()
mod.get()

console.log(`http://localhost:${traceFunction.address().port}/metrics`)
process.once('SIGINT', () => traceFunction.stop()) // closes the server, so that the process ends
