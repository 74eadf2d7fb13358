'use strict'

// An application for tests of the live page. It counts calls and blocks its event loop on command.
//
//   node application.js '{"port": 0, …}'   options of the exporter

const HypertracePrometheus = require('../..')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ host: '127.0.0.1', ...JSON.parse(process.argv[2]) })
let timer

readCommands({
  /** Counts a payload with these fields this many times. */
  count (times, fields) {
    const trace = payload(JSON.parse(decodeURIComponent(fields)))
    for (let i = 0; i < Number(times); i++) traceFunction(trace)
    writeLine('counted')
  },
  /** Counts a payload with these fields every 20 ms. */
  repeat (fields) {
    const trace = payload(JSON.parse(decodeURIComponent(fields)))
    timer = setInterval(() => traceFunction(trace), 20)
    writeLine('repeating')
  },
  /** Counts one call of each of this many functions. */
  functions (count) {
    for (let i = 0; i < Number(count); i++) traceFunction(payload({ object: { className: `Class${i % 100}` }, caller: { functionName: `fn${i}` } }))
    writeLine('counted')
  },
  pause () {
    clearInterval(timer)
    writeLine('pausing')
  },
  /** Counts a payload with these fields in a loop that blocks the event loop for this time. */
  spin (milliseconds, fields) {
    const trace = payload(JSON.parse(decodeURIComponent(fields)))
    const end = Date.now() + Number(milliseconds)
    writeLine('spinning')
    let times = 0
    while (Date.now() < end) for (let i = 0; i < 10; i++, times++) traceFunction(trace)
    writeLine(`spun ${times}`)
  },
  block (milliseconds) {
    writeLine('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds))
    writeLine('unblocked')
  }
})
writeLine(`port ${traceFunction.address().port}`)
