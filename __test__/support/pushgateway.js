'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { freePort } = require('./ports')
const { commandOf } = require('./tools')
const { until } = require('./until')

/**
 * Starts a real Pushgateway, and ends it with its test. A test that uses it is skipped if `lacks('pushgateway')` of
 * tools.js says so.
 *
 * @param {import('node:test').TestContext} t
 * @returns {Promise<string>} its URL
 */
async function startPushgateway (t) {
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(commandOf('pushgateway'), [`--web.listen-address=${address}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit').catch(() => {})
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { log += text })
  t.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await until(async () => {
    assert.equal(child.exitCode, null, `the Pushgateway ended:\n${log}`)
    return (await fetch(`http://${address}/-/ready`).catch(() => null))?.ok
  }, 'the Pushgateway is ready')
  return `http://${address}`
}

module.exports = { startPushgateway }
