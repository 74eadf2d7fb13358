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

// PM2 ends a process with SIGINT. `stop()` lets another process open the port at once.
process.once('SIGINT', async () => {
  clearInterval(work)
  await traceFunction.stop()
  process.exit()
})
