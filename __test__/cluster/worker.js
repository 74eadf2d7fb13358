'use strict'

// A worker thread that opens or joins a port, counts, and lives until it is terminated.

const { parentPort, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ cluster: true, ...workerData.options })
for (let n = 0; n < workerData.calls; n++) traceFunction(payload({ id: 'worker', object: { className: 'Counted' } }))
parentPort.postMessage(`worker at ${traceFunction.address().port}`)
setInterval(() => {}, 1e6)
