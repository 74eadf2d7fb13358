'use strict'

// Traces many objects, each of them once and without a later reference to it. The labels with object ids are omitted.

const HypertracePrometheus = require('../..')
const { parse } = require('../support/exposition')
const { payload } = require('../support/payload')
const { memory } = require('./measure')

const OBJECTS = 1_000_000

async function main () {
  const traceFunction = HypertracePrometheus({ collectDefaults: false, omitLabels: ['object_id', 'parent_object_id'] })
  const trace = (from, to) => {
    for (let id = from; id < to; id++) {
      const parentObject = id % 2 === 0 ? { className: 'Parent', id, props: null, ctx: {} } : null
      traceFunction(payload({ object: { id, ctx: { id } }, parentObject }))
    }
  }
  trace(0, OBJECTS / 10)
  const first = await memory()
  trace(OBJECTS / 10, OBJECTS)
  const last = await memory()
  const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
  const total = samples.reduce((sum, { value }) => sum + value, 0)
  await traceFunction.stop()
  console.log(JSON.stringify({ heap: last.heap - first.heap, series: samples.length, total, objects: OBJECTS }))
}

main()
