'use strict'

// An application that ends in the given way on a command, with or without an exporter. The same lines run in both
// cases, so that Node.js prints the same messages.
//
//   app.js none|main|worker natural|exit|throw|signal

const { Worker, isMainThread, parentPort } = require('node:worker_threads')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const MEGABYTES = 2 // of the page: more than fits in the buffers of a connection

const [thread, ending] = process.argv.slice(2)

function startExporter () {
  const traceFunction = require('../..')({ port: 0, host: '127.0.0.1', collectDefaults: false })
  const filename = '/' + 'x'.repeat(1000)
  for (let id = 1; id <= MEGABYTES * 950; id++) traceFunction(payload({ object: { id }, caller: { filename } }))
  return traceFunction
}

function main () {
  const traceFunction = thread === 'main' ? startExporter() : null
  const commands = readCommands({
    end () {
      if (ending === 'natural') {
        if (traceFunction !== null) traceFunction.unref()
        commands.close()
      } else if (ending === 'exit') {
        process.exit(7)
      } else if (ending === 'throw') {
        setImmediate(() => { throw new Error('on purpose') })
      }
    }
  })
  if (thread === 'worker') {
    new Worker(__filename, { argv: process.argv.slice(2) }).once('message', (port) => { writeLine(`port ${port}`) })
  } else {
    writeLine(`port ${traceFunction === null ? 0 : traceFunction.address().port}`)
  }
}

if (isMainThread) main()
else parentPort.postMessage(startExporter().address().port)
