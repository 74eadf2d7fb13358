'use strict'

/*
 * The child process of one measurement. `run.js` starts it with a row, a case and an implementation. The process sends one result.
 */

const implementations = require('./implementations')

const { row, measured, implementation } = JSON.parse(process.argv[2])
const create = implementations[implementation]
const { measure } = require(`./rows/${row}`)

/** Returns a channel to the parent process: `send` sends a value, and `receive` resolves to the next value that arrives. */
function channel () {
  const received = []
  let waiting = null
  process.on('message', (message) => {
    if (waiting) waiting(message)
    else received.push(message)
    waiting = null
  })
  return {
    send: (value) => process.send({ value }),
    receive: () => received.length > 0 ? Promise.resolve(received.shift()) : new Promise((resolve) => { waiting = resolve })
  }
}

async function main () {
  const result = await measure(measured, create, channel())
  process.send({ result: result ?? null }, () => process.exit())
}

main().catch((error) => {
  process.send({ error: String(error?.message ?? error).split('\n')[0] }, () => process.exit(1))
})
