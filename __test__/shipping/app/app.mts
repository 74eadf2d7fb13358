// app.cjs in TypeScript, as runtimes take it that strip the types.

import Hypertrace from 'hypertrace'
import HypertracePrometheus, { type Options, type TraceFunction } from 'hypertrace-prometheus'
import SomeModule from './some-module.mjs'
import stdin from './stdin.cjs'

const options: Options = { port: 0, allowedProps: ['someCustom'] }
const traceFunction: TraceFunction = HypertracePrometheus(options)
Hypertrace.setTraceFunction(traceFunction)

const mod = new SomeModule()
mod.get()
mod.get()

stdin.on('end', stop)
const page: string = await traceFunction.metrics()
console.log(JSON.stringify({ port: traceFunction.address()?.port, page }))
stdin.resume()

async function stop (): Promise<void> {
  await traceFunction.stop()
  console.log('stopped')
}
