'use strict'

// Starts, uses and stops one exporter after the other.

const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { payload } = require('../support/payload')
const { collect, memory, settled } = require('./measure')

const CYCLES = Number(process.argv[2])

async function cycle (number) {
  const traceFunction = HypertracePrometheus({ port: 0 })
  for (let id = 1; id <= 20; id++) traceFunction(payload({ object: { id } }))
  if (number % 10 === 0) await get({ port: traceFunction.address().port })
  await traceFunction.stop()
}

async function cycles (count) {
  for (let number = 0; number < count; number++) {
    await cycle(number)
    // V8 does not include the memory of Node.js's histograms in its heuristics: without these collections it grows by 100 MB.
    if (number % 50 === 0) await collect()
  }
}

async function main () {
  await cycles(Math.max(400, CYCLES / 4)) // until the allocators' reserves no longer grow
  const first = await memory()
  const before = await settled()
  await cycles(CYCLES)
  const after = await settled(before)
  const last = await memory()
  console.log(JSON.stringify({ before, after, rss: last.rss - first.rss, heap: last.heap - first.heap }))
}

main()
