'use strict'

/*
 * A Prometheus 3 that a test can stop and start again with the same data, on the loopback interface. A test that uses
 * it is skipped if `lacks('prometheus3')` of tools.js says so.
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
 * Starts a server, or an agent, and ends it with its test.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} config the text of its configuration
 * @param {{ agent?: boolean, options?: string[], files?: Record<string, string> }} [more] files: texts of files beside
 *   the configuration
 */
async function startServer (t, config, { agent = false, options = [], files = {} } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'prometheus-'))
  for (const [name, text] of Object.entries({ ...files, 'prometheus.yml': config })) fs.writeFileSync(path.join(folder, name), text)
  const host = `127.0.0.1:${await freePort()}`
  const url = `http://${host}`
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child

  async function start () {
    const started = spawn(commandOf('prometheus3'), [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--web.listen-address=${host}`,
      ...agent ? ['--agent', `--storage.agent.path=${path.join(folder, 'data')}`] : [`--storage.tsdb.path=${path.join(folder, 'data')}`],
      ...options
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    let log = ''
    started.stderr.setEncoding('utf8').on('data', (text) => { log += text })
    await until(async () => {
      assert.equal(started.exitCode, null, `Prometheus ended:\n${log}`)
      return (await fetch(`${url}/-/ready`).catch(() => null))?.ok
    }, 'Prometheus is ready')
  }

  /** Ends the server as a crash does. */
  async function stop () {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  t.after(async () => {
    await stop()
    fs.rmSync(folder, { recursive: true, force: true })
  })
  await start()

  /** @param {string} resource path below /api/v1 */
  async function api (resource) {
    const { status, data, error } = await (await fetch(`${url}/api/v1/${resource}`)).json()
    assert.equal(status, 'success', error)
    return data
  }

  return {
    host,
    url,
    start,
    stop,
    api,
    /** @param {string} expression */
    async query (expression) {
      const { result } = await api(`query?query=${encodeURIComponent(expression)}`)
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
    },
    /** The value of an expression with one series; `undefined` while there is none. @param {string} expression */
    async value (expression) {
      return (await this.query(expression))[0]?.value
    }
  }
}

module.exports = { startServer }
