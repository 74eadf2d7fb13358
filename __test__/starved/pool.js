'use strict'

// Blocks every thread of libuv's pool by opening a FIFO without a writer, and prints whether each page has the call.

const fs = require('node:fs')
const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { payload } = require('../support/payload')

const [fifo] = process.argv.slice(2)
const THREADS = Number(process.env.UV_THREADPOOL_SIZE)

const opened = Array.from({ length: THREADS }, () => fs.promises.open(fifo, 'r'))
const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
traceFunction(payload())

async function main () {
  const pages = await Promise.all([traceFunction.metrics(), traceFunction.metrics()])
  pages.push((await get({ port: traceFunction.address().port, host: '127.0.0.1' })).body)
  console.log(JSON.stringify(pages.map((page) => /^trace_counter\{.*\} 1$/m.test(page))))
  fs.openSync(fifo, 'r+')
  for (const file of await Promise.all(opened)) await file.close()
  await traceFunction.stop()
}

main()
