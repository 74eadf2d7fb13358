'use strict'

// Prints the families with samples of this package and of prom-client, as JSON. prom-client shows 0 for a figure that it cannot
// read, so such families are left out.

const { Registry, collectDefaultMetrics } = require('prom-client')
const HypertracePrometheus = require('../..')
const { until } = require('../support/until')

const names = (page, sample) => [...new Set(page.split('\n').filter((line) => sample.test(line)).map((line) => line.split(/[{ ]/)[0]))]

const hasDelay = (page) => /^nodejs_eventloop_lag_min_seconds \d/m.test(page)

async function main () {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const traceFunction = HypertracePrometheus()
  await until(async () => hasDelay(await register.metrics()) && hasDelay(await traceFunction.metrics()), 'both have the delay of the event loop')
  const theirs = names(await register.metrics(), /^(process|nodejs)_.* (?!0$)/)
  const ours = names(await traceFunction.metrics(), /^(process|nodejs)_/)
  await traceFunction.stop()
  console.log(JSON.stringify({ theirs, ours }))
}

main()
