'use strict'

// One exporter whose application keeps counting. Prints its port, and its memory and resources for each line of its input.

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

  for await (const expected of readline.createInterface({ input: process.stdin })) {
    const holds = await settled(JSON.parse(expected) ?? undefined)
    console.log(`holds ${JSON.stringify({ ...await memory(), holds })}`)
  }
  clearInterval(working)
  await traceFunction.stop()
}

main()
