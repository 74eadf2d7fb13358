'use strict'

// Asks for a port that another process has, on the main thread and in a worker; prints what it hears.

const { Worker, isMainThread, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')

const port = isMainThread ? Number(process.argv[2]) : workerData
try {
  HypertracePrometheus({ port, collectDefaults: false })
} catch (error) {
  console.log(`${isMainThread ? 'main' : 'worker'} ${error.message}`)
}
if (isMainThread) new Worker(__filename, { workerData: port }) // eslint-disable-line no-new
