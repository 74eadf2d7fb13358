'use strict'

// Runs the programs of the documents that have several threads or processes, on free ports.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { freePort, occupy } = require('./support/ports')
const { startProgram } = require('./support/program')
const readme = require('./support/readme')
const { until } = require('./support/until')

test('readme: threads.js counts the calls of five threads on one page', async (t) => {
  const { ports: [port] } = await start(t, 'threads.js')
  await until(async () => await calls(port) === 5, 'five calls')
})

test('readme: cluster.js serves each process on a port of its own', async (t) => {
  const { ports } = await start(t, 'cluster.js')
  assert.equal(ports.length, 2)
  for (const port of ports) await until(async () => await calls(port) === 1, `a call at ${port}`)
})

test('readme: cluster.js ends with a message when its ports are in use', async (t) => {
  const taken = [await occupy(0, '127.0.0.1'), await occupy(0, '127.0.0.1')]
  for (const { free } of taken) t.after(free)
  const { program } = await start(t, 'cluster.js', taken.map(({ port }) => port))
  const { code, stderr } = await program.ended()
  assert.equal(code, 1)
  const messages = stderr.match(/^listen EADDRINUSE: address already in use 127\.0\.0\.1:\d+/gm) ?? []
  assert.deepEqual(messages.map((message) => Number(message.split(':').at(-1))).sort(), taken.map(({ port }) => port).sort())
})

test('readme: cluster.js starts another process on the same port when one is killed', { skip: process.platform !== 'linux' && 'finds the process in /proc' }, async (t) => {
  const { program, ports: [port] } = await start(t, 'cluster.js')
  const first = await until(() => startOf(port), 'the first process')
  const [pid] = fs.readFileSync(`/proc/${program.child.pid}/task/${program.child.pid}/children`, 'utf8').trim().split(' ').map(Number)
    .filter((pid) => fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`METRICS_PORT=${port}`))
  process.kill(pid, 'SIGKILL')
  await until(async () => {
    const start = await startOf(port)
    return start !== null && start !== first
  }, 'the next process')
})

test('readme: cluster-register.js shows all processes on one page', async (t) => {
  const { ports: [port] } = await start(t, 'cluster-register.js')
  await until(async () => await calls(port) === 2, 'two calls')
  const { body } = await get({ port })
  assert.match(body, /^# TYPE nodejs_heap_size_used_bytes gauge$/m)
})

/**
 * Starts a program of the documents with other ports in place of its own.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {number[]} [given] free ports if absent
 */
async function start (t, name, given) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'readme-')))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(modules)
  fs.symlinkSync(readme.ROOT, path.join(modules, 'hypertrace-prometheus'), 'junction')
  for (const name of ['hypertrace', 'prom-client']) {
    fs.symlinkSync(path.join(readme.ROOT, 'node_modules', name), path.join(modules, name), 'junction')
  }
  let source = readme.marked(`run ${name}`)
  const written = new Set(source.match(/\b434\d\b/g))
  const ports = []
  for (const port of written) {
    ports.push(given?.[ports.length] ?? await freePort())
    source = source.replaceAll(port, String(ports.at(-1)))
  }
  fs.writeFileSync(path.join(folder, name), source)
  return { program: startProgram(t, path.join(folder, name)), ports }
}

/** Returns the sum of the counter; null if no server answers. */
async function calls (port) {
  try {
    const { samples } = parse((await get({ port })).body, { allowDuplicates: true }).get('trace_counter')
    return samples.reduce((all, { value }) => all + value, 0)
  } catch {
    return null
  }
}

/** Returns the start time of the counter that a server has; null if no server answers. */
async function startOf (port) {
  try {
    return JSON.parse((await get({ port, path: '/summary.json' })).body).startTimeSeconds
  } catch {
    return null
  }
}
