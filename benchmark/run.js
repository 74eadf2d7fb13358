'use strict'

/*
 * Runs one measurement in a child process.
 */

const { fork } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')

const TIMEOUT = 180_000

async function freePort () {
  const server = net.createServer().listen(0)
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * @param {string} row name of a file in `rows/`
 * @param {object} measured one of its cases
 * @param {string} implementation
 * @returns {Promise<{ values: number[] } | { error: string }>} the values of the case's lines, in their order
 */
async function run (row, measured, implementation) {
  const { observe, execArgv = [] } = require(`./rows/${row}`)
  const port = await freePort()
  const job = JSON.stringify({ row, measured: { ...measured, port }, implementation })
  const child = fork(path.join(__dirname, 'child.js'), [job], {
    execArgv: ['--expose-gc', '--no-warnings', ...execArgv],
    timeout: TIMEOUT,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })

  const received = []
  let waiting = null
  const ended = new Promise((resolve) => {
    let outcome = null
    child.on('message', (/** @type {any} */ message) => {
      if (!('value' in message)) {
        outcome = message
        if ('error' in message) resolve(message)
      } else if (waiting) waiting(message.value)
      else received.push(message.value)
    })
    child.on('exit', (code, signal) => resolve(outcome ?? { error: `ended with ${signal ?? code}` }))
  })
  const channel = {
    send: (message) => child.send(message),
    receive: () => received.length > 0
      ? Promise.resolve(received.shift())
      : new Promise((resolve) => { waiting = (value) => { waiting = null; resolve(value) } })
  }

  if (!observe) {
    const outcome = await ended
    return 'error' in outcome ? outcome : outcome.result
  }
  const failed = ended.then((outcome) => 'error' in outcome ? outcome : new Promise(() => {}))
  const observed = observe({ ...measured, implementation }, channel).catch((error) => {
    child.kill()
    return { error: String(error.message) }
  })
  const outcome = await Promise.race([observed, failed])
  await ended
  return outcome
}

module.exports = { run }
