'use strict'

/*
 * One measurement in a process of its own: started by `run.js` with a row, a case and an implementation, sends one result.
 */

const implementations = require('./implementations')

const { row, measured, implementation } = JSON.parse(process.argv[2])
const create = implementations[implementation]
const { measure } = require(`./rows/${row}`)

/** A line to the parent: `tell` a value, wait to be `told` one. */
function line () {
  const heard = []
  let waiting = null
  process.on('message', (message) => {
    if (waiting) waiting(message)
    else heard.push(message)
    waiting = null
  })
  return {
    tell: (value) => process.send({ value }),
    told: () => heard.length > 0 ? Promise.resolve(heard.shift()) : new Promise((resolve) => { waiting = resolve })
  }
}

async function main () {
  const result = await measure(measured, create, line())
  process.send({ result: result ?? null }, () => process.exit())
}

main().catch((error) => {
  process.send({ error: String(error?.message ?? error).split('\n')[0] }, () => process.exit(1))
})
