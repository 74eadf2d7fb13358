'use strict'

// A short job that sends its counts to a Pushgateway: every 1,000 calls, and at the end of the job.
//
//   node examples/push.js [--gateway http://localhost:9091] [--calls 100]

const { parseArgs } = require('node:util')

const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const { values } = parseArgs({
  options: { gateway: { type: 'string', default: 'http://localhost:9091' }, calls: { type: 'string', default: '100' } }
})

const traceFunction = HypertracePrometheus()
setTraceFunction(traceFunction) // before the traced objects are created

async function push () {
  const response = await fetch(`${values.gateway}/metrics/job/example`, {
    method: 'PUT', // replaces the page of an earlier run
    headers: { 'Content-Type': traceFunction.contentType },
    body: await traceFunction.metrics()
  })
  if (!response.ok) throw new Error(`The Pushgateway refuses the page: ${await response.text()}`)
}

async function main () {
  const mod = new SomeModule()
  for (let call = 1; call <= Number(values.calls); call++) {
    mod.get()
    if (call % 1000 === 0) await push() // if this push fails, the job ends
  }
  await push()
  console.log(`Calls: ${values.calls}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
