'use strict'

// A worker that joins, counts once and has nothing else to do.

const { workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ port: workerData.port, collectDefaults: false }).ref()
traceFunction(payload({ id: 'returned' }))
