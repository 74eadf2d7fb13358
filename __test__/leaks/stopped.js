'use strict'

// Prints the resources of the process before an exporter runs, while it runs, and after it has stopped.

const perfHooks = require('node:perf_hooks')

let observers = 0
let monitors = 0
count(perfHooks.PerformanceObserver.prototype, 'observe', () => { observers++ })
count(perfHooks.PerformanceObserver.prototype, 'disconnect', () => { observers-- })
const { monitorEventLoopDelay } = perfHooks
perfHooks.monitorEventLoopDelay = (...args) => {
  const histogram = monitorEventLoopDelay(...args)
  const { enable, disable } = histogram
  histogram.enable = () => { monitors++; return enable.call(histogram) }
  histogram.disable = () => { monitors--; return disable.call(histogram) }
  return histogram
}

const { Registry } = require('prom-client')
const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { payload } = require('../support/payload')
const { collect, settled } = require('./measure')

const [kind] = process.argv.slice(2)

function count (prototype, name, counted) {
  const method = prototype[name]
  prototype[name] = function (...args) {
    counted()
    return method.apply(this, args)
  }
}

/** Starts an exporter, uses all its functions and stops it. Returns weak references to its objects. */
async function use (whileRunning) {
  const register = kind === 'register' ? new Registry() : null
  const traceFunction = HypertracePrometheus({ port: 0, register, seriesIdleTimeout: 60_000 })
  traceFunction(payload())
  await traceFunction.metrics()
  await get({ port: traceFunction.address().port })
  const running = await whileRunning()
  await traceFunction.stop()
  return { running, weak: { traceFunction: new WeakRef(traceFunction), register: register && new WeakRef(register) } }
}

const holdings = async (expected) => ({ ...await settled(expected), observers, monitors })

async function main () {
  await use(() => {}) // creates what exists once for a process: libuv's threads, handles of Node.js
  await collect()
  const before = await holdings()
  const { running, weak } = await use(() => holdings())
  await collect()
  const { observers: _, monitors: __, ...expected } = before
  const after = await holdings(expected)
  const isAlive = (ref) => ref !== null && ref.deref() !== undefined
  console.log(JSON.stringify({
    before, running, after, alive: { traceFunction: isAlive(weak.traceFunction), register: isAlive(weak.register) }
  }))
}

main()
