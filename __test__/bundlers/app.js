'use strict'

// An application to bundle: prints its port and the page, and ends with its standard input.

const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const traceFunction = HypertracePrometheus({ port: 0, allowedProps: ['someCustom'] })
setTraceFunction(traceFunction)

const mod = new SomeModule()
mod.get()
mod.get()

async function main () {
  const page = await traceFunction.metrics()
  console.log(JSON.stringify({ port: traceFunction.address().port, page }))
  process.stdin.on('end', stop)
  process.stdin.resume()
}

async function stop () {
  await traceFunction.stop()
  console.log('stopped')
}

main()
