'use strict'

// An application that blocks its event loop when told, and goes on counting meanwhile.
//
//   app.js own|register|reference spin|wait

const { once } = require('node:events')
const http = require('node:http')
const { takeCommands, tell } = require('../support/commands')
const { payload } = require('../support/payload')
const { occupy } = require('../support/ports')

const [kind, manner] = process.argv.slice(2)

async function start () {
  if (kind !== 'reference') {
    const { Registry } = require('prom-client')
    const HypertracePrometheus = require('../..')
    const traceFunction = HypertracePrometheus({ port: 0, register: kind === 'register' ? new Registry() : null })
    return { traceFunction, port: traceFunction.address().port }
  }
  // The reference takes no port 0, and tells nobody when it listens.
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

/** Known calls and new ones: some objects are seen for the first time. */
function count (traceFunction) {
  for (let i = 0; i < 300; i++) {
    traceFunction(payload({ object: { id: i % 200 + 1 + Math.floor(counted / 300) } }))
    counted++
  }
  tell(`counted ${counted}`)
}

function block (milliseconds) {
  if (manner === 'wait') {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  } else {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }
}

start().then(({ traceFunction, port }) => {
  takeCommands({
    block (milliseconds) {
      count(traceFunction)
      tell('blocked')
      block(Number(milliseconds) * 0.3)
      count(traceFunction)
      block(Number(milliseconds) * 0.3)
      count(traceFunction)
      block(Number(milliseconds) * 0.4)
      tell('unblocked')
    }
  })
  count(traceFunction)
  tell(`port ${port}`)
})
