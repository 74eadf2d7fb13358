'use strict'

/*
 * Tests processes that share a page and that node:cluster, PM2 or child_process.fork has started. Two tests run the examples for
 * node:cluster and PM2.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')

const { createCluster, processesOf } = require('./cluster/processes')
const { get } = require('./support/http')
const { parse } = require('./support/exposition')
const { startProgram } = require('./support/program')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')
const { PM2 } = require('../scripts/pm2')

const EXAMPLES = path.join(__dirname, '..', 'examples')

/** Waits until the page has lines of these processes, and each has counted. */
function counting (cluster, numbers) {
  return until(async () => {
    const { body } = await get({ port: cluster.port }).catch(() => ({ body: '' }))
    const page = parse(body)
    const counted = new Set(page.get('trace_counter')?.samples.map(({ labels }) => Number(labels.process)))
    return JSON.stringify([...processesOf(page)]) === JSON.stringify(numbers) && counted.size === numbers.length && page
  }, `processes ${numbers} count`)
}

test('child_process.fork: the parent and three children are on one page', async (t) => {
  const cluster = await createCluster(t)
  const program = startProgram(t, path.join(__dirname, 'cluster', 'fork.js'), [String(cluster.port), '5'], { env: cluster.env })
  await program.line(/^counted$/)
  const counts = Object.values(await cluster.counts()).map(({ forked }) => forked)
  assert.equal(counts[0], 5, 'the parent has opened the port')
  assert.deepEqual(counts.sort((a, b) => a - b), [5, 10, 20, 30])
  program.child.stdin.end()
  assert.equal((await program.ended()).code, 0)
  await until(() => cluster.names().length === 0, 'no socket is left')
})

test('cluster example: a process that is killed is replaced, the page stays, and Ctrl-C ends all', async (t) => {
  const cluster = await createCluster(t)
  const example = startProgram(t, path.join(EXAMPLES, 'cluster.js'), ['--port', String(cluster.port), '--processes', '3'], { env: cluster.env })
  assert.equal((await example.line(/^Live page: (.*)$/))[1], `http://localhost:${cluster.port}/`)
  const [, opener] = await example.line(/^Process (\d+) counts\.$/)
  await counting(cluster, [1, 2, 3])
  process.kill(Number(opener), 'SIGKILL')
  await example.line(new RegExp(`^Process ${opener} has ended\\.$`))
  await counting(cluster, [1, 2, 3])
  example.child.kill('SIGINT')
  const { code, signal, stderr } = await example.ended()
  if (process.platform === 'win32') {
    // A signal ends the primary process at once, and node:cluster ends the others when that has gone.
    assert.deepEqual({ signal, stderr }, { signal: 'SIGINT', stderr: '' })
  } else {
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    assert.deepEqual(cluster.names(), [])
  }
})

test('PM2 example: four processes are on one page, before and after a reload', { skip: lacks('pm2') }, async (t) => {
  const cluster = await createCluster(t)
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'pm2-'))
  const env = { ...process.env, ...cluster.env, PM2_HOME: home, PORT: String(cluster.port), PM2_DISCRETE_MODE: 'true' }
  const pm2 = (...args) => promisify(execFile)(process.execPath, [PM2, ...args], { env, timeout: 60_000 })
  t.after(async () => {
    await pm2('kill').catch(() => {})
    fs.rmSync(home, { recursive: true, force: true })
  })
  await pm2('start', path.join(EXAMPLES, 'pm2.config.js'))
  const starts = (page) => page.get('process_start_time_seconds')?.samples.map(({ value }) => value) ?? []
  const before = Math.max(...starts(await counting(cluster, [1, 2, 3, 4])))
  // A new process starts before the one that it replaces ends, so the numbers of the processes may differ from the numbers before.
  await pm2('reload', 'jobs')
  await until(async () => {
    const page = await cluster.page().catch(() => new Map())
    return starts(page).length === 4 && Math.min(...starts(page)) > before && processesOf(page).length === 4
  }, 'four new processes are on the page')
  await pm2('delete', 'jobs')
  await until(() => cluster.names().length === 0, 'no socket is left')
})
