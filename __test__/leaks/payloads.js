'use strict'

// Objects that are traced, seen through weak references afterwards.

const HypertracePrometheus = require('../..')
const { parse } = require('../support/exposition')
const { collect } = require('./measure')

const OBJECTS = 1000

async function main () {
  const traceFunction = HypertracePrometheus({ port: 0, allowedProps: ['p'] })
  const weak = []
  const trace = () => {
    for (let id = 1; id <= OBJECTS; id++) {
      const parts = { ctx: { id }, parent: { id }, props: { p: `value ${id}` }, callProps: { p: id } }
      traceFunction({
        id: null,
        object: { className: 'Thing', id, props: parts.props, ctx: parts.ctx },
        parentObject: { className: 'Parent', id, props: null, ctx: parts.parent },
        caller: { functionName: 'work', filename: '/app/thing.js', line: 10, column: 12, props: parts.callProps }
      })
      for (const part of Object.values(parts)) weak.push(new WeakRef(part))
    }
  }
  trace()
  await collect()
  const alive = weak.filter((ref) => ref.deref() !== undefined).length
  // The exporter itself is in use to the end.
  const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
  await traceFunction.stop()
  console.log(JSON.stringify({ alive, counted: samples.reduce((sum, { value }) => sum + value, 0) }))
}

main()
