'use strict'

/*
 * The time that a trace function adds to a real call of `tracer.trace('id')`: the time of the call with this trace function, minus the
 * time of the same call with a trace function that only stores the payload. Both times contain the work of hypertrace, which takes
 * longer than the trace function, so the difference does not contain it. One process times both in turn. All label sets are cached.
 */

const { createTracer, setTraceFunction } = require('hypertrace')
const { PROPS } = require('../workload')
const { median } = require('../statistics')

/** The number of calls in a batch. hypertrace captures a stack for each call without an id, which takes much longer. */
const BATCH = { id: 2_000, stack: 200 }

const cases = ({ quick }) => {
  const line = (name, aim) => [{ name: `real call, ${name}`, aim, headline: true, plot: undefined }]
  const objects = quick ? 1_000 : 10_000
  const classes = [1, 9, 50, 200].map((count) => (
    { classes: count, ids: 1, objects: 1, lines: line(`${count} ${count === 1 ? 'class' : 'classes'} at one position`) }
  ))
  const all = [
    { classes: 1, ids: 1, objects: 1, lines: line('one object, one id', 0.06) },
    { classes: 1, ids: 10, objects: 10, lines: line('10 ids × 10 objects', 0.06) },
    { classes: 10, ids: 10, objects: 10, lines: line('10 classes × 10 ids × 10 objects', 0.06) },
    { classes: 1, ids: 10, objects, lines: line(`${(objects * 10).toLocaleString('en-GB')} series`, 0.15) },
    { classes: 1, ids: 1, objects: 10, props: true, lines: line('4 allowed props', 0.10) },
    { classes: 1, ids: 0, objects: 10, lines: line('without an id', 0.10) },
    ...classes
  ]
  return all.map((measured) => ({ ...measured, without: ['limit', '@prometheus-io/client', 'OpenTelemetry'] }))
}

/** Creates a base class that traces, and subclasses of it: all their calls are at one position in this file. */
function createClasses (count) {
  class Base {
    constructor (number) {
      this.number = number
      this.tracer = createTracer(this)
    }

    withId (id, props) { this.tracer.trace(id, props) }
    withoutId (props) { this.tracer.trace(props) }
  }
  return Array.from({ length: count }, (_, n) => ({ [`Class${n}`]: class extends Base {} })[`Class${n}`])
}

const propsOf = (number) => ({ index: number, id: number % 16, type: number % 2 ? 'block' : 'hash', value: `value ${number % 10}` })

function measure ({ classes, ids, objects, props, quick }, create) {
  const { trace } = create({ allowedProps: props ? PROPS : [] })
  const last = { payload: null }
  const store = (payload) => { last.payload = payload }
  setTraceFunction(store) // hypertrace creates tracers only while a trace function is set
  const made = createClasses(classes).flatMap((Class) => Array.from({ length: objects }, (_, n) => new Class(n)))
  const names = Array.from({ length: ids }, (_, n) => `method${n}`)
  const calls = made.flatMap((object) => {
    const given = props ? propsOf(object.number) : undefined
    if (ids === 0) return [{ run: () => object.withoutId(given) }]
    return names.map((id) => ({ run: () => object.withId(id, given) }))
  })
  const size = ids === 0 ? BATCH.stack : BATCH.id

  let random = 1
  /** Times a batch of calls in a random order, and returns the nanoseconds of one call. */
  const timeOf = (traceFunction, order) => {
    setTraceFunction(traceFunction)
    const start = process.hrtime.bigint()
    for (let i = 0; i < order.length; i++) calls[order[i]].run()
    return Number(process.hrtime.bigint() - start) / order.length
  }
  const shuffled = () => Array.from({ length: size }, () => {
    random = Math.imul(random, 1664525) + 1013904223 | 0
    return Math.floor((random >>> 0) / 4294967296 * calls.length)
  })

  setTraceFunction(trace)
  for (const { run } of calls) run()
  const times = { ours: [], base: [] }
  for (let batch = 0; batch < (quick ? 150 : 500); batch++) {
    const order = shuffled()
    // The trace functions take turns to run first, because the second one finds the processor's caches filled.
    const pair = batch % 2 === 0 ? ['ours', 'base'] : ['base', 'ours']
    for (const one of pair) times[one].push(timeOf(one === 'ours' ? trace : store, order))
  }
  const half = Math.floor(times.ours.length / 2)
  return { values: [Math.max(0.1, median(times.ours.slice(half)) - median(times.base.slice(half)))] }
}

module.exports = { cases, measure, unit: 'ns' }
