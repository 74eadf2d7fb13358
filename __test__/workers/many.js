'use strict'

// A process with eight threads that count without end. After a line of input the process ends in the way that its argument names.

const { once } = require('node:events')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

async function main (way) {
  const traceFunction = HypertracePrometheus({ port: 0 })
  const { port } = traceFunction.address()
  const workers = Array.from({ length: 8 }, () => new Worker(__filename, { workerData: port }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  console.log(`at ${port}`)
  await once(process.stdin, 'data')
  if (way === 'exit') process.exit(7)
  if (way === 'fail') throw new Error('not caught')
  if (way === 'end') {
    traceFunction.unref()
    for (const worker of workers) worker.unref()
    process.stdin.destroy()
    return
  }
  await Promise.all([traceFunction.stop(), ...workers.map((worker) => worker.terminate())])
  process.stdin.destroy()
}

function work () {
  const traceFunction = HypertracePrometheus({ port: workerData })
  const count = () => {
    for (let n = 0; n < 1000; n++) traceFunction(payload({ id: `series ${n % 50}` }))
    setImmediate(count)
  }
  count()
  parentPort.postMessage('counting')
}

if (isMainThread) main(process.argv[2])
else work()
