// The application of app.cjs as an ES module. `node examples/app.mjs`, then open
// http://localhost:4343/metrics. Ctrl-C ends it.

import Hypertrace from 'hypertrace'
import HypertracePrometheus from 'hypertrace-prometheus'
import SomeModule from './some-module.mjs'

const traceFunction = HypertracePrometheus({
  port: Number(process.env.PORT || 4343),
  allowedProps: ['someCustom']
})
Hypertrace.setTraceFunction(traceFunction) // before the objects to be traced are made

const mod = new SomeModule()
mod.get()

console.log(`http://localhost:${traceFunction.address().port}/metrics`)
process.once('SIGINT', () => traceFunction.stop()) // closes the server, so that the process ends
