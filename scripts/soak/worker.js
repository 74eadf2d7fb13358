'use strict'

// A worker thread of the soak test: joins the port, traces short-lived objects and ends in one of several ways. It
// increments one shared number before each call, and another one after the call.

const { parentPort, workerData } = require('node:worker_threads')
const HypertracePrometheus = require('../..')
const { shortLived } = require('./objects')

const { options, begun, ended, way, objects } = workerData
const traceFunction = HypertracePrometheus(options)

async function main () {
  for (let n = 0; n < objects; n++) {
    shortLived(traceFunction, 'Worker', workerData, { begun: () => Atomics.add(begun, 0, 1), ended: () => Atomics.add(ended, 0, 1) })
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (n === 50) parentPort?.postMessage('counting')
  }
  if (way === 'stop') await traceFunction.stop()
  if (way === 'fail') throw new Error('not caught')
  if (way === 'exit') process.exit(0)
  if (way === 'terminate') setInterval(() => {}, 1000)
}

main()
