'use strict'

// Traces many more label sets than maxSeries, with few classes and functions.

const HypertracePrometheus = require('../..')
const { parse } = require('../support/exposition')
const { payload } = require('../support/payload')
const { memory } = require('./measure')

const LABEL_SETS = 300_000
const CLASSES = 5
const FUNCTIONS = 7

const add = (sums, key, value) => { sums[key] = (sums[key] ?? 0) + value }

async function main () {
  const traceFunction = HypertracePrometheus({ maxSeries: 1000, allowedProps: ['nr'] })
  const expected = { byClass: {}, byFunction: {} }
  traceFunction(payload())
  const first = await memory()
  for (let id = 1; id < LABEL_SETS; id++) {
    const className = `Class${id % CLASSES}`
    const functionName = `function${id % FUNCTIONS}`
    traceFunction(payload({ object: { id, className, props: { nr: id % 1000 } }, caller: { functionName } }))
    add(expected.byClass, className, 1)
    add(expected.byFunction, functionName, 1)
  }
  const last = await memory()
  const families = parse(await traceFunction.metrics())
  const { samples } = families.get('trace_counter')
  const byClass = {}
  const byFunction = {}
  let total = 0
  for (const { labels, value } of samples) {
    total += value
    if (labels.object_classname === 'Thing') continue
    add(byClass, labels.object_classname, value)
    add(byFunction, labels.caller_functionname, value)
  }
  const [collapsed] = [...families.values()].filter(({ name }) => /collapsed/.test(name)).map(({ samples: [{ value }] }) => value)
  await traceFunction.stop()
  console.log(JSON.stringify({ rss: last.rss - first.rss, series: samples.length, collapsed, total, byClass, byFunction, expected }))
}

main()
