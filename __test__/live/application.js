'use strict'

// An application to look at: it counts, blocks its event loop, resets and ends when told.
//
//   node application.js '{"port": 0, …}'   the exporter's options

const HypertracePrometheus = require('../..')
const { takeCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ host: '127.0.0.1', ...JSON.parse(process.argv[2]) })
let timer

takeCommands({
  /** Counts a trace made of these parts, so often. */
  count (times, parts) {
    const trace = payload(JSON.parse(decodeURIComponent(parts)))
    for (let i = 0; i < Number(times); i++) traceFunction(trace)
    writeLine('counted')
  },
  /** The same, every 20 ms. */
  keep (parts) {
    const trace = payload(JSON.parse(decodeURIComponent(parts)))
    timer = setInterval(() => traceFunction(trace), 20)
    writeLine('keeping')
  },
  rest () {
    clearInterval(timer)
    writeLine('resting')
  },
  block (milliseconds) {
    writeLine('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds))
    writeLine('unblocked')
  }
})
writeLine(`port ${traceFunction.address().port}`)
