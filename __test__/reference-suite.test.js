'use strict'

/*
 * Runs the tests of 1.0.0 against this package. The tests are unchanged except for their ports.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')

const suite = require.resolve('hypertrace-prometheus-reference/test/test.js')
const FIXED_PORTS = ['4343', '4342']

/** Returns ports that are free on every interface. All are opened before any is closed, so that they differ. */
async function freePorts (count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => String(server.address().port))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/**
 * @param {string} subject the module to test
 */
async function runSuite (subject) {
  const free = await freePorts(FIXED_PORTS.length)
  const ports = Object.fromEntries(FIXED_PORTS.map((port, i) => [port, free[i]]))
  const preload = path.join(__dirname, 'support', 'as-reference.js')
  const child = spawn(process.execPath, ['--require', preload, suite], {
    env: { ...process.env, NODE_OPTIONS: '', TEST_SUBJECT: subject, TEST_PORTS: JSON.stringify(ports) },
    timeout: 30_000
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text })
  const [code] = await once(child, 'close')
  return { code, output }
}

const subjects = {
  'every test of 1.0.0 passes against this package': path.resolve(__dirname, '..'),
  'every test of 1.0.0 passes against 1.0.0, run in the same way': 'hypertrace-prometheus-reference'
}

for (const [name, subject] of Object.entries(subjects)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const source = fs.readFileSync(suite, 'utf8')
    const tests = source.match(/^test\(/gm).length
    assert.ok(tests >= 16, `only ${tests} tests in the file`)
    for (const port of FIXED_PORTS) assert.ok(source.includes(port))

    const { code, output } = await runSuite(require.resolve(subject))
    assert.equal(code, 0, output)
    assert.match(output, new RegExp(`^# tests = ${tests}/${tests} pass$`, 'm'), output)
    assert.doesNotMatch(output, /^ *not ok/m, output)
    t.diagnostic(`${tests} tests`)
  })
}
