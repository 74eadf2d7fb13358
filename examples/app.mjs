// The application of app.cjs as an ES module. Run `node examples/app.mjs` and open
// http://localhost:4343/. Ctrl-C ends it.

import Hypertrace from 'hypertrace'
import HypertracePrometheus from 'hypertrace-prometheus'
import SomeModule from './some-module.mjs'

const traceFunction = HypertracePrometheus({
  port: Number(process.env.PORT || 4343),
  allowedProps: ['someCustom']
})
Hypertrace.setTraceFunction(traceFunction) // before the traced objects are created

const mod = new SomeModule()
mod.get()

const url = `http://localhost:${traceFunction.address().port}/`
console.log(`Live page: ${url}`)
console.log(`Metrics: ${url}metrics`)
process.once('SIGINT', () => traceFunction.stop()) // closes the server, so that the process ends
