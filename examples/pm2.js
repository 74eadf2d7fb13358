'use strict'

// The program of pm2.config.js. PM2 starts several processes of it, and all are on one page.

const { setTraceFunction, createTracer } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')

const traceFunction = HypertracePrometheus({ port: process.env.PORT, cluster: true })
setTraceFunction(traceFunction)

class Job {
  constructor () { this.tracer = createTracer(this) }
  run () { this.tracer.trace('run') }
}

const job = new Job()
const work = setInterval(() => job.run(), 10)

// `stop()` lets another process open the port at once. PM2 sends a message, see pm2.config.js; Ctrl-C is SIGINT.
async function end () {
  clearInterval(work)
  await traceFunction.stop()
  process.exit()
}
process.once('SIGINT', end)
process.on('message', (message) => { if (message === 'shutdown') end() })
