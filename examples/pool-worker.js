'use strict'

// The code of each worker thread of pool.js. The exporter of a worker joins the page of the main thread, because
// it has the same port.

const { setTraceFunction, createTracer } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')

setTraceFunction(HypertracePrometheus({ port: process.env.METRICS_PORT }))

class Sorter {
  constructor () { this.tracer = createTracer(this) }

  sort (size) {
    this.tracer.trace('sort')
    return Array.from({ length: size }, Math.random).sort((a, b) => a - b)
  }
}

const sorter = new Sorter()

module.exports = (size) => sorter.sort(size)[0]
