'use strict'

// Runs ten workers one after another, each with an exporter on the same port, or without. No worker stops its
// exporter before its end. Prints how long each end takes.
//
//   workers.js none|exporter terminate|natural|exit|throw

const { once } = require('node:events')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')
const { assertFree } = require('../support/ports')

const ROUNDS = 10
const MEGABYTES = 2 // of the page: more than fits in the buffers of a connection

async function main () {
  const [kind, ending] = process.argv.slice(2)
  let endRequested
  const commands = readCommands({ end: () => endRequested() })
  let port = 0
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(__filename, { workerData: { kind, ending, port } })
    ;[port] = await once(worker, 'message')
    const requested = new Promise((resolve) => { endRequested = resolve })
    writeLine(`port ${port}`)
    await requested

    const exited = new Promise((resolve) => worker.once('error', () => {}).once('exit', resolve))
    const from = performance.now()
    if (ending === 'terminate') worker.terminate()
    else worker.postMessage('end')
    await exited
    const took = performance.now() - from
    if (port !== 0) await assertFree(port)
    writeLine(`ended ${took}`)
  }
  commands.close()
}

function work ({ kind, ending, port }) {
  let traceFunction = null
  if (kind === 'exporter') {
    traceFunction = require('../..')({ port, collectDefaults: true })
    const filename = '/' + 'x'.repeat(1000)
    for (let id = 1; id <= MEGABYTES * 950; id++) traceFunction(payload({ object: { id }, caller: { filename } }))
  }
  parentPort.once('message', () => {
    if (ending === 'exit') process.exit(3)
    if (ending === 'throw') throw new Error('on purpose')
    if (traceFunction !== null) traceFunction.unref()
  })
  parentPort.postMessage(traceFunction === null ? 0 : traceFunction.address().port)
}

if (isMainThread) main()
else work(workerData)
