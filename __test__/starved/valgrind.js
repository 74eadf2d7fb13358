'use strict'

// The program that runs under Valgrind. It starts a worker thread that joins its port, requests each kind of response and calls
// metrics(). Then it stops its exporter.

const { once } = require('node:events')
const http = require('node:http')
const { Worker, isMainThread, workerData } = require('node:worker_threads')
const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const traceFunction = HypertracePrometheus({ port: isMainThread ? 0 : workerData, host: '127.0.0.1', allowedProps: ['x'] })
for (let id = 1; id <= 300; id++) traceFunction(payload({ object: { id }, caller: { props: { x: id % 7 } } }))

// A request has no timeout here: a program takes fifty times as long under Valgrind.
async function get ({ port, path = '/metrics', headers = {} }) {
  const [response] = await once(http.get({ port, path, headers, host: '127.0.0.1', agent: false }), 'response')
  await once(response.resume(), 'end')
}

async function main () {
  const { port } = traceFunction.address()
  const worker = new Worker(__filename, { workerData: port })
  await once(worker, 'exit')
  for (const headers of [{}, { 'accept-encoding': 'gzip' }, { 'accept-encoding': 'gzip' }]) await get({ port, headers })
  await get({ port, path: '/summary.json' })
  await get({ port, path: '/' })
  await traceFunction.metrics()
  await traceFunction.stop()
  console.log('done')
}

if (isMainThread) main()
else traceFunction.metrics().then(() => traceFunction.stop())
