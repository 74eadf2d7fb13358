'use strict'

// A worker thread that joins the pages of the application, makes short-lived objects, and answers `end` with the calls that it made.

const { parentPort, workerData } = require('node:worker_threads')

const { count, objectsOf, trace } = require('./objects')

const traceFunctions = trace(workerData.ports, workerData.options)
const timer = setInterval(() => objectsOf('Session', 1, 3), 100)

parentPort.once('message', async () => {
  clearInterval(timer)
  for (const traceFunction of traceFunctions) await traceFunction.stop()
  parentPort.postMessage(count())
})
