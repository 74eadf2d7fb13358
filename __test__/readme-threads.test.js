'use strict'

// Runs the programs of the documents that have several threads or processes, on free ports.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const readme = require('./support/readme')
const { until } = require('./support/until')

test('readme: threads.js counts the calls of five threads on one page', async (t) => {
  const { ports: [port] } = await start(t, 'threads.js')
  await until(async () => await calls(port) === 5, 'five calls')
})

test('readme: cluster.js serves four processes on one page', async (t) => {
  const { ports } = await start(t, 'cluster.js')
  assert.equal(ports.length, 1)
  await until(async () => await calls(ports[0]) === 4, 'four calls')
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
 */
async function start (t, name) {
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
    ports.push(await freePort())
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
