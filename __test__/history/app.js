'use strict'

// An application that traces steadily, and blocks its event loop on a command.
//
//   app.js [worker] [options as JSON]

const { Worker, isMainThread, parentPort, threadId, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const call = (traceFunction, className, functionName, parent) => traceFunction(payload({
  object: { className },
  parentObject: parent === undefined ? null : { className: parent, id: 1, props: null },
  caller: { functionName, filename: `/app/${className}.js` }
}))

/** Blocks the event loop for this time. Returns the number of calls. */
function crunch (traceFunction, className, milliseconds) {
  const end = performance.now() + milliseconds
  let calls = 0
  while (performance.now() < end) {
    call(traceFunction, className, 'crunch', 'Main')
    calls++
  }
  return calls
}

if (isMainThread) {
  const [kind, options] = process.argv.slice(2)
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1', ...JSON.parse(options ?? '{}') })
  const { port } = traceFunction.address()
  const tick = () => call(traceFunction, 'Steady', 'tick')
  tick()
  setInterval(tick, 5)
  const worker = kind === 'worker' ? new Worker(__filename, { workerData: { port } }) : null
  worker?.on('message', writeLine)
  readCommands({
    ping () { writeLine('pong') },
    crunch (milliseconds) {
      writeLine('begin')
      writeLine(`end ${crunch(traceFunction, 'Cruncher', Number(milliseconds))}`)
    },
    worker (milliseconds) { worker.postMessage(Number(milliseconds)) },
    async stop () {
      await traceFunction.stop()
      process.exit()
    }
  })
  writeLine(`port ${port}`)
} else {
  const traceFunction = HypertracePrometheus({ port: workerData.port, host: '127.0.0.1' })
  parentPort.on('message', (milliseconds) => {
    parentPort.postMessage('begin')
    parentPort.postMessage(`end ${crunch(traceFunction, 'InWorker', milliseconds)}`)
  })
  parentPort.postMessage(`worker ${threadId}`)
}
