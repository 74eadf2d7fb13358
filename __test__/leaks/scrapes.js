'use strict'

// One exporter whose application goes on counting. Says its port, and what it holds whenever it is asked.

const readline = require('node:readline')
const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')
const { memory, settled } = require('./measure')

const SERIES = 300

async function main () {
  const traceFunction = HypertracePrometheus({ port: 0 })
  const payloads = Array.from({ length: SERIES }, (_, id) => payload({ object: { id } }))
  payloads.forEach((each) => traceFunction(each))
  let turn = 0
  const working = setInterval(() => traceFunction(payloads[turn++ % SERIES]), 1)
  console.log(`port ${traceFunction.address().port}`)

  for await (const least of readline.createInterface({ input: process.stdin })) {
    const holds = await settled(JSON.parse(least) ?? undefined)
    console.log(`has ${JSON.stringify({ ...await memory(), holds })}`)
  }
  clearInterval(working)
  await traceFunction.stop()
}

main()
