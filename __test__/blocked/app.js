'use strict'

// An application that blocks its event loop on a command. While the event loop is blocked, other commands let it make calls. These
// commands are lines of a file, because a blocked event loop cannot read the input of the process.
//
//   app.js own|register|reference spin|wait

const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')
const { occupy } = require('../support/ports')

const POLL_MS = 2

const [kind, manner] = process.argv.slice(2)

async function start () {
  if (kind !== 'reference') {
    const { Registry } = require('prom-client')
    const HypertracePrometheus = require('../..')
    const traceFunction = HypertracePrometheus({ port: 0, startAtZero: false, register: kind === 'register' ? new Registry() : null })
    return { traceFunction, port: traceFunction.address().port }
  }
  // The reference does not accept port 0, and does not report when it listens.
  const probe = await occupy(0)
  await probe.free()
  const { createServer } = http
  const opened = new Promise((resolve) => {
    http.createServer = (...args) => {
      const server = createServer(...args)
      resolve(server)
      return server
    }
  })
  const traceFunction = require('hypertrace-prometheus-reference')({ port: probe.port })
  const server = await opened
  if (!server.listening) await once(server, 'listening')
  return { traceFunction, port: probe.port }
}

let counted = 0

/** Makes calls, with cached label sets and with new objects. */
function count (traceFunction) {
  for (let i = 0; i < 300; i++) {
    traceFunction(payload({ object: { id: i % 200 + 1 + Math.floor(counted / 300) } }))
    counted++
  }
  writeLine(`counted ${counted}`)
}

/** Blocks the event loop until the file has a line `unblock`. Makes calls for each line `count` before this line. */
function block (traceFunction, file) {
  for (let done = 0; ;) {
    const commands = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)
    for (; done < commands.length; done++) {
      if (commands[done] === 'unblock') return
      count(traceFunction)
    }
    if (manner === 'wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)
  }
}

start().then(({ traceFunction, port }) => {
  readCommands({
    block (file) {
      writeLine('blocked')
      block(traceFunction, file)
      writeLine('unblocked')
    }
  })
  count(traceFunction)
  writeLine(`port ${port}`)
})
