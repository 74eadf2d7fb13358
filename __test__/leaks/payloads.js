'use strict'

// Traces objects, then counts those that weak references still reach.

const HypertracePrometheus = require('../..')
const { parse } = require('../support/exposition')
const { collect } = require('./measure')

const OBJECTS = 1000

async function main () {
  const traceFunction = HypertracePrometheus({ port: 0, allowedProps: ['p'] })
  const weak = []
  const trace = () => {
    for (let id = 1; id <= OBJECTS; id++) {
      const objects = { ctx: { id }, parent: { id }, props: { p: `value ${id}` }, callProps: { p: id } }
      traceFunction({
        id: null,
        object: { className: 'Thing', id, props: objects.props, ctx: objects.ctx },
        parentObject: { className: 'Parent', id, props: null, ctx: objects.parent },
        caller: { functionName: 'work', filename: '/app/thing.js', line: 10, column: 12, props: objects.callProps }
      })
      for (const object of Object.values(objects)) weak.push(new WeakRef(object))
    }
  }
  trace()
  await collect()
  const alive = weak.filter((ref) => ref.deref() !== undefined).length
  // Because the exporter is used here, it is alive while the objects are counted.
  const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
  await traceFunction.stop()
  console.log(JSON.stringify({ alive, counted: samples.reduce((sum, { value }) => sum + value, 0) }))
}

main()
