'use strict'

/*
 * Prints the resident memory of the process for each series. All payloads are created once before the first reading, so
 * that V8 has the memory for them. Garbage is collected before both readings.
 */

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const SERIES = 100_000

const withProps = process.argv[2] === 'props'
const props = ['index', 'kind', 'name', 'live']

function of (n) {
  const object = { id: n + 1 }
  if (!withProps) return payload({ object })
  return payload({ object, caller: { props: { index: n % 10_000, kind: n % 2 ? 'block' : 'hash', name: `value ${n % 10}`, live: true } } })
}

function resident () {
  for (let i = 0; i < 4; i++) global.gc()
  return process.memoryUsage.rss()
}

const trace = HypertracePrometheus({ collectDefaults: false, maxSeries: 2 * SERIES, allowedProps: withProps ? props : [] })
let sink = 0
for (let n = 0; n < SERIES; n++) sink += of(n).object.id
trace(of(SERIES + 1))
const before = resident()
for (let n = 0; n < SERIES; n++) trace(of(n))
console.log(JSON.stringify((resident() - before) / SERIES), sink > 0 ? '' : sink)
