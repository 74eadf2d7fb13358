'use strict'

// Opens an exporter on the main thread and in a worker, at a port that another process serves. Prints the errors.

const { Worker, isMainThread, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')

const port = isMainThread ? Number(process.argv[2]) : workerData
try {
  HypertracePrometheus({ port, collectDefaults: false })
} catch (error) {
  console.log(`${isMainThread ? 'main' : 'worker'} ${error.message}`)
}
if (isMainThread) new Worker(__filename, { workerData: port }) // eslint-disable-line no-new
