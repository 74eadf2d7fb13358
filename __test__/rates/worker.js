'use strict'

// A worker thread that joins the pages of the application and calls short-lived objects. After a message it posts the number of its calls.

const { parentPort, workerData } = require('node:worker_threads')

const { count, objectsOf, trace } = require('./objects')

const traceFunctions = trace(workerData.ports, workerData.options)
const timer = setInterval(() => objectsOf('Session', 1, 3), 100)

parentPort.once('message', async () => {
  clearInterval(timer)
  for (const traceFunction of traceFunctions) await traceFunction.stop()
  parentPort.postMessage(count())
})
