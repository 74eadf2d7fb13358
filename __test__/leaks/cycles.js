'use strict'

// Starts, uses and stops one exporter after another.

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
    // V8 does not count the memory of Node.js' histograms. Without this call, it would collect only after another hundred MB.
    if (number % 50 === 0) await collect()
  }
}

async function main () {
  await cycles(Math.max(400, CYCLES / 4)) // warm-up: until the allocators stop growing
  const first = await memory()
  const before = await settled()
  await cycles(CYCLES)
  const after = await settled(before)
  const last = await memory()
  console.log(JSON.stringify({ before, after, rss: last.rss - first.rss, heap: last.heap - first.heap }))
}

main()
