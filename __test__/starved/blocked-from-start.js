'use strict'

// Blocks its event loop in the turn that opens the port, until a worker thread has scraped the page. Then prints the families of the
// page.

const { Worker } = require('node:worker_threads')
const HypertracePrometheus = require('../..')

const LIMIT_MS = 20_000

const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
const done = new Int32Array(new SharedArrayBuffer(4))
const length = new Int32Array(new SharedArrayBuffer(4))
const page = new Uint8Array(new SharedArrayBuffer(1 << 20))
const scraper = new Worker(`
  const http = require('node:http')
  const { port, done, length, page } = require('node:worker_threads').workerData
  http.get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
    let at = 0
    response.on('data', (chunk) => { page.set(chunk, at); at += chunk.length })
    response.on('end', () => {
      length[0] = at
      Atomics.store(done, 0, 1)
      Atomics.notify(done, 0)
    })
  })
`, { eval: true, workerData: { port: traceFunction.address().port, done, length, page } })
Atomics.wait(done, 0, 0, LIMIT_MS)
const text = Buffer.from(page.subarray(0, length[0])).toString()
console.log(JSON.stringify([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)))
scraper.terminate()
traceFunction.stop()
