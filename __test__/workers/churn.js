'use strict'

/*
 * Workers join, count and end one after another, in different ways. Prints the resources of the process five times.
 *
 *   node --expose-gc churn.js <number of workers>
 */

const { once } = require('node:events')
const fs = require('node:fs')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const CALLS = 100
const WAYS = ['end', 'exit', 'terminate', 'fail', 'stop']

async function main (times) {
  const traceFunction = HypertracePrometheus({ port: 0 })
  const { port } = traceFunction.address()
  for (let n = 0; n < times; n++) {
    const way = WAYS[n % WAYS.length]
    const worker = new Worker(__filename, { workerData: { port, way } })
    worker.on('error', () => {})
    const exit = new Promise((resolve) => worker.once('exit', resolve))
    if (way === 'terminate') {
      await once(worker, 'message')
      await worker.terminate()
    }
    await exit
    if ((n + 1) % (times / 5) === 0) await printResources(port)
  }
  await traceFunction.stop()
}

async function printResources (port) {
  const page = await (await fetch(`http://localhost:${port}/metrics`, { headers: { connection: 'close' } })).text()
  global.gc()
  console.log(JSON.stringify({
    counted: Number(page.match(/^trace_counter\{.* (\d+)$/m)[1]),
    members: page.match(/^nodejs_eventloop_lag_seconds\S* /gm).length,
    tasks: fs.readdirSync('/proc/self/task').length,
    fds: fs.readdirSync('/proc/self/fd').length,
    rss: process.memoryUsage.rss()
  }))
}

async function work ({ port, way }) {
  const traceFunction = HypertracePrometheus({ port })
  for (let n = 0; n < CALLS; n++) traceFunction(payload())
  if (way === 'stop') await traceFunction.stop()
  parentPort.postMessage('counted')
  if (way === 'exit') process.exit(0)
  if (way === 'fail') throw new Error('not caught')
  if (way === 'terminate') setInterval(() => {}, 1000)
}

if (isMainThread) main(Number(process.argv[2]))
else work(workerData)
