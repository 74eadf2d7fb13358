'use strict'

// An application that blocks its event loop or restarts its exporter on command.

const HypertracePrometheus = require('../..')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const SERIES = 20

let traceFunction
let counted = 0

function start (port) {
  traceFunction = HypertracePrometheus({ port, host: '127.0.0.1' })
  counted = 0
  count()
}

function count () {
  for (let id = 1; id <= SERIES; id++) traceFunction(payload({ object: { id } }))
  counted += SERIES
}

start(0)
writeLine(`port ${traceFunction.address().port}`)

readCommands({
  block (milliseconds) {
    writeLine('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds))
    count()
    writeLine(`unblocked ${counted}`)
  },
  async restart () {
    const { port } = traceFunction.address()
    await traceFunction.stop()
    start(port)
    writeLine(`restarted ${counted}`)
  }
})
