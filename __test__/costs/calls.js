'use strict'

/*
 * Prints the costs of calls as JSON: the calls of Rust functions, which a wrapped binding counts, and the bytes that a
 * cached call leaves on the heap. Needs --expose-gc, and a young generation that holds the garbage of one round.
 */

const v8 = require('node:v8')
const { counted } = require('./counted-binding')
const { get } = require('../support/http')
const { payload } = require('../support/payload')
const { createRandom } = require('../support/random')

const ROUND = 100_000
const MAX_ROUNDS = 30

const rustCalls = counted(require('../../lib/load-binding'))
const HypertracePrometheus = require('../..')

const parentObject = { className: 'Parent', id: 7, props: null, ctx: {} }
/** Properties without fractions: V8 allocates an object for each number with a fraction that it reads from a property. */
const propsOf = (n) => ({ index: n, size: 1000 + n, kind: n % 2 ? 'block' : 'hash', live: true })

const { below } = createRandom(1)
const drawn = new Set()
/** Returns a payload with a new random combination of 500 classes, 500 ids and 500 parent classes, always at one position. */
function mixed () {
  const [className, id, parent] = ['Class', 'id', 'Parent'].map((name) => `${name}${below(500)}`)
  const key = [className, id, parent].join()
  if (drawn.has(key)) return mixed()
  drawn.add(key)
  return payload({ id, object: { className, id: 1 }, parentObject: { ...parentObject, className: parent } })
}

/** Options, the number of series, and the payload of the nth series. */
const SHAPES = {
  'one series': { series: 1, of: () => payload() },
  'a thousand objects': { series: 1000, of: (n) => payload({ object: { id: n + 1 } }) },
  'a parent and an id': { series: 1000, of: (n) => payload({ id: 'get', object: { id: n + 1 }, parentObject }) },
  'ids that are text': { series: 1000, of: (n) => payload({ object: { id: `object ${n}` } }) },
  'four props': {
    series: 1000,
    options: { allowedProps: ['index', 'size', 'kind', 'live'] },
    of: (n) => payload({ object: { id: n + 1 }, caller: { props: propsOf(n) } })
  },
  '500 classes, ids and parents at one position': { series: 2000, of: mixed },
  'five thousand series, two cell blocks': { series: 5000, of: (n) => payload({ object: { id: n + 1 } }) }
}

const held = { last: null }
/** Adds one small object to each call of `trace`. The measured bytes must show it. */
const withAllocation = (trace) => (payload) => { held.last = { payload }; trace(payload) }

function run (trace, payloads) {
  for (let i = 0, at = 0; i < ROUND; i++) {
    trace(payloads[at])
    at = at + 1 === payloads.length ? 0 : at + 1
  }
}

/**
 * Returns the bytes that a call leaves on the heap: the minimum of several rounds, because the compiler uses the heap too.
 */
function bytesPerCall (trace, payloads) {
  let least = Infinity
  for (let round = 0; round < MAX_ROUNDS && least > 0.05; round++) {
    global.gc()
    const before = v8.getHeapStatistics().used_heap_size
    run(trace, payloads)
    const left = v8.getHeapStatistics().used_heap_size - before
    least = Math.min(least, Math.abs(left) / ROUND)
  }
  return least
}

async function measure ({ series, options, of }) {
  const trace = HypertracePrometheus({ collectDefaults: false, ...options })
  const payloads = Array.from({ length: series }, (_, n) => of(n))
  rustCalls.clear()
  for (const one of payloads) trace(one)
  const first = Object.fromEntries(rustCalls)
  rustCalls.clear()
  const bytes = bytesPerCall(trace, payloads)
  const cached = Object.fromEntries(rustCalls)
  const bytesWithAllocation = bytesPerCall(withAllocation(trace), payloads)
  await trace.stop()
  return { series, first, cached, bytes, bytesWithAllocation }
}

/** Counts the calls of Rust functions on this thread during one scrape. */
async function scrape (series) {
  const trace = HypertracePrometheus({ port: 0, history: 0 }) // without the recorder, which would call functions too
  const { port } = trace.address()
  for (let id = 1; id <= series; id++) trace(payload({ object: { id } }))
  rustCalls.clear()
  const { body } = await get({ port })
  const calls = Object.fromEntries(rustCalls)
  await trace.stop()
  return { lines: body.split('\n').filter((line) => line.startsWith('trace_counter{')).length, calls }
}

async function main () {
  const shapes = {}
  for (const [name, shape] of Object.entries(SHAPES)) shapes[name] = await measure(shape)
  console.log(JSON.stringify({ shapes, scrapes: [await scrape(1), await scrape(20_000)] }))
}

main()
