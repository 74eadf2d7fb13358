// app.js as an ES module.

import process from 'node:process'
import Hypertrace from 'hypertrace'
import HypertracePrometheus from 'hypertrace-prometheus'
import SomeModule from './some-module.mjs'

const traceFunction = HypertracePrometheus({ port: 0, allowedProps: ['someCustom'] })
Hypertrace.setTraceFunction(traceFunction)

const mod = new SomeModule()
mod.get()
mod.get()

process.stdin.on('end', stop)
const page = await traceFunction.metrics()
console.log(JSON.stringify({ port: traceFunction.address().port, page }))
process.stdin.resume()

async function stop () {
  await traceFunction.stop()
  console.log('stopped')
}
