'use strict'

// A worker that joins, counts once and has no other work.

const { workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ port: workerData.port, collectDefaults: false }).ref()
traceFunction(payload({ id: 'returned' }))
