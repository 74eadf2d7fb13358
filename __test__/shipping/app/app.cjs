'use strict'

// The README's application, for any runtime. It prints its port and its page, and ends with its standard input.

const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')
const stdin = require('./stdin.cjs')

const traceFunction = HypertracePrometheus({ port: 0, allowedProps: ['someCustom'] })
setTraceFunction(traceFunction)

const mod = new SomeModule()
mod.get()
mod.get()

async function main () {
  const page = await traceFunction.metrics()
  console.log(JSON.stringify({ port: traceFunction.address().port, page }))
  stdin.on('end', stop)
  stdin.resume()
}

async function stop () {
  await traceFunction.stop()
  console.log('stopped')
}

main()
