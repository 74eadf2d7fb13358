'use strict'

/*
 * Objects with tracers of hypertrace, whose calls several exporters count, and the number of these calls.
 */

const { createTracer, setTraceFunction } = require('hypertrace')

const HypertracePrometheus = require('../..')

let calls = 0

/** Opens an exporter at each port. Every exporter counts each call. */
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

/** Creates objects and calls each of them this number of times. */
function objectsOf (name, objects, callsOfEach) {
  return Array.from({ length: objects }, () => {
    const object = new CLASSES[name]()
    for (let call = 0; call < callsOfEach; call++) object.call()
    return object
  })
}

module.exports = { trace, objectsOf, count: () => calls }
