'use strict'

/*
 * Starts programs of VictoriaMetrics on the loopback interface, each with a temporary folder, for one test. A test
 * that uses them is skipped if `lacks('victoria-metrics')` or `lacks('vmagent')` of tools.js says so.
 */

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { freePort } = require('./ports')
const { commandOf } = require('./tools')
const { until } = require('./until')

/**
 * Starts a program of VictoriaMetrics, and ends it with its test.
 *
 * @param {import('node:test').TestContext} t
 * @param {'victoria-metrics' | 'vmagent'} program
 * @param {(folder: string) => string[]} options of the command line; the argument is the temporary folder
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
async function start (t, program, options) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `${program}-`))
  const port = await freePort() // the program does not show which port it has with port 0
  const child = spawn(commandOf(program), [
    `-httpListenAddr=127.0.0.1:${port}`, '-loggerLevel=WARN', ...options(folder)
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit').catch(() => {})
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { log += text })

  async function stop () {
    child.kill('SIGKILL') // at SIGTERM it waits for connections that are kept open
    await exited
    fs.rmSync(folder, { recursive: true, force: true })
  }
  t.after(stop)

  const url = `http://127.0.0.1:${port}`
  await until(async () => {
    assert.equal(child.exitCode, null, `${program} ended:\n${log}`)
    return (await fetch(`${url}/health`).catch(() => null))?.ok
  }, `${program} listens`)
  return { url, stop }
}

/**
 * Starts a server of VictoriaMetrics.
 *
 * @param {import('node:test').TestContext} t
 */
async function startVictoriaMetrics (t) {
  const server = await start(t, 'victoria-metrics', (folder) => [
    `-storageDataPath=${folder}`, '-retentionPeriod=1', '-search.latencyOffset=1ms'
  ])
  return {
    ...server,
    /**
     * Evaluates an expression over all data that the server has received.
     *
     * @param {string} expression
     * @returns {Promise<{ metric: Record<string, string>, value: number }[]>}
     */
    async query (expression) {
      await fetch(`${server.url}/internal/force_flush`) // otherwise, new series are found only some seconds later
      const response = await fetch(`${server.url}/api/v1/query?nocache=1&query=${encodeURIComponent(expression)}`)
      const { status, data, error } = await response.json()
      assert.equal(status, 'success', error)
      return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
    }
  }
}

/**
 * Starts an agent that sends what it receives, or scrapes, to a remote-write receiver.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} receiver the URL of the receiver
 * @param {string[]} [options] of the command line
 */
function startVmagent (t, receiver, options = []) {
  return start(t, 'vmagent', (folder) => [
    `-remoteWrite.tmpDataPath=${folder}`, `-remoteWrite.url=${receiver}`, '-remoteWrite.forcePromProto',
    '-remoteWrite.flushInterval=100ms', ...options
  ])
}

module.exports = { startVictoriaMetrics, startVmagent }
