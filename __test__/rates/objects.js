'use strict'

/*
 * Objects with tracers of hypertrace, which several exporters count, and the number of calls that were made.
 */

const { createTracer, setTraceFunction } = require('hypertrace')

const HypertracePrometheus = require('../..')

let calls = 0

/** Opens an exporter at each port, and has all of them count each call. */
function trace (ports, options) {
  const traceFunctions = ports.map((port) => HypertracePrometheus({ port, ...options }))
  setTraceFunction((payload) => {
    calls++
    for (const traceFunction of traceFunctions) traceFunction(payload)
  })
  return traceFunctions
}

class Session {
  constructor () { this.tracer = createTracer(this) }
  call () { this.tracer.trace('call') }
}
class Stream extends Session {}
class Core extends Session {}
class Peer extends Session {}

const CLASSES = { Session, Stream, Core, Peer }

/** Creates objects and makes calls of each. */
function objectsOf (name, objects, callsOfEach) {
  return Array.from({ length: objects }, () => {
    const object = new CLASSES[name]()
    for (let call = 0; call < callsOfEach; call++) object.call()
    return object
  })
}

module.exports = { trace, objectsOf, count: () => calls }
