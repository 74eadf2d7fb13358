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
  pause () {
    clearInterval(timer)
    writeLine('pausing')
  },
  block (milliseconds) {
    writeLine('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds))
    writeLine('unblocked')
  }
})
writeLine(`port ${traceFunction.address().port}`)
