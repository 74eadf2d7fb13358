'use strict'

// Traces the processes of a cluster. Each worker sets `cluster: true`, so one page shows all of them. When a worker ends, the
// primary process starts another one, and the page remains. The live page is at http://localhost:4343/.
//
//   node examples/cluster.js [--port 4343] [--processes 4]
//
// The environment variable PORT is the default of --port.

const cluster = require('node:cluster')
const { parseArgs } = require('node:util')

const { setTraceFunction, createTracer } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')

const JOB_MS = 10

const { values: { port, processes } } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.PORT || '4343' },
    processes: { type: 'string', default: '4' }
  }
})

class Job {
  constructor () { this.tracer = createTracer(this) }
  run () { this.tracer.trace('run') }
}

function primary () {
  let isEnding = false
  const counting = new Set()
  const end = () => {
    isEnding = true
    // worker.kill() would end a process at once on Windows, without stop().
    for (const worker of Object.values(cluster.workers)) worker.disconnect()
  }
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, end)
  cluster.on('exit', ({ process: { pid } }) => {
    console.log(`Process ${pid} has ended.`)
    // A process that does not count could not start. A new process could not start either.
    if (counting.delete(pid) && !isEnding) cluster.fork()
  })
  cluster.on('message', (_, { pid }) => {
    counting.add(pid)
    console.log(`Process ${pid} counts.`)
  })

  const url = `http://localhost:${port}/`
  console.log(`Live page: ${url}`)
  console.log(`Metrics: ${url}metrics`)
  console.log(`${processes} processes work. Print the calls of each process, end one process with kill, and print the calls again:`)
  console.log(`  curl -s ${url}metrics | grep ^trace_counter`)
  console.log('Ctrl-C ends this example.')
  for (let n = 0; n < Number(processes); n++) cluster.fork()
}

function worker () {
  let traceFunction
  try {
    traceFunction = HypertracePrometheus({ port, cluster: true })
  } catch (err) {
    console.error(err.message)
    process.exit(1)
  }
  setTraceFunction(traceFunction)
  const job = new Job()
  const work = setInterval(() => job.run(), JOB_MS)
  const end = async () => {
    clearInterval(work)
    await traceFunction.stop()
    process.exit()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(name, end)
  process.send({ pid: process.pid })
}

if (cluster.isPrimary) primary()
else worker()
