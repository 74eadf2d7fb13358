'use strict'

/*
 * Tests case 40: the end of a process and of a worker, with clients in every state. Each program also runs without
 * an exporter, and that run gives the expected end.
 *
 * LIFECYCLE_RUNS is the number of runs of each program. The duration of an end is printed. It must be less than
 * the time that stop() gives to responses, which is the shortest timeout of the server. An end that is shorter has waited
 * for no client.
 */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const test = require('node:test')

const { assertFree } = require('./support/ports')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')

const RUNS = Number(process.env.LIFECYCLE_RUNS ?? 1)
const LIMIT = { timeout: 120_000 }
const STOP_GRACE_MS = 1000
const TRICKLE_MS = 30

const APP = path.join(__dirname, 'lifecycle', 'app.js')
const WORKERS = path.join(__dirname, 'lifecycle', 'workers.js')

/** Opens clients; they are in the named state when the promise resolves. */
const clients = {
  async idle (t, port) {
    const silent = connect(t, port)
    await once(silent.socket, 'connect')
    const idle = connect(t, port, '/nope')
    await until(() => idle.received().includes('Not found'), 'the answer')
    return [silent, idle]
  },
  async active (t, port) {
    const client = connect(t, port, '/metrics')
    client.socket.on('data', () => {
      client.socket.pause()
      setTimeout(() => client.socket.resume(), TRICKLE_MS)
    })
    await once(client.socket, 'data')
    return [client]
  },
  async stalled (t, port) {
    const client = connect(t, port, '/metrics')
    await once(client.socket, 'data')
    client.socket.pause()
    return [client]
  }
}

function connect (t, port, target) {
  const socket = net.connect({ port, host: '127.0.0.1' })
  t.after(() => socket.destroy())
  let received = ''
  let closed = false
  socket.on('error', () => {}) // a reset also closes the connection
  socket.on('data', (bytes) => { received += bytes.toString('latin1') })
  socket.once('close', () => { closed = true })
  if (target !== undefined) socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  return {
    socket,
    received: () => received,
    /** Reads to the end of the connection; asserts that the page is visibly incomplete. */
    async ended () {
      socket.removeAllListeners('data').on('data', (bytes) => { received += bytes.toString('latin1') }).resume()
      await until(() => closed, 'the connection is closed')
      if (target === '/metrics') {
        assert.match(received, /^HTTP\/1\.1 200 /)
        assert.ok(!received.endsWith('\r\n0\r\n\r\n'), 'the page has no end')
      }
    }
  }
}

/** Opens clients in these states, one after another. */
async function connectAll (t, port, states) {
  const connected = []
  for (const state of states) connected.push(...await clients[state](t, port))
  return connected
}

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1]

/** Runs the application to its end. */
async function runApp (t, thread, ending, states) {
  const app = startProgram(t, APP, [thread, ending])
  const port = Number((await app.line(/^port (\d+)$/))[1])
  const connected = await connectAll(t, port, states)

  const from = performance.now()
  if (ending === 'signal') app.child.kill('SIGTERM')
  else app.say('end')
  const { code, signal, stderr, at } = await app.ended()
  for (const client of connected) await client.ended()
  if (port !== 0) await assertFree(port)
  return { end: { code, signal, stderr }, took: at - from }
}

async function runsOfApp (t, thread, ending, states) {
  const runs = []
  for (let run = 0; run < RUNS; run++) runs.push(await runApp(t, thread, ending, states))
  for (const { end } of runs) assert.deepEqual(end, runs[0].end)
  return { end: runs[0].end, took: median(runs.map(({ took }) => took)) }
}

const STATES = [[], ['idle'], ['active'], ['stalled']]

const ENDS = [
  ['natural', 'main', { code: 0, signal: null }, /^$/],
  ['exit', 'main', { code: 7, signal: null }, /^$/],
  ['throw', 'main', { code: 1, signal: null }, /Error: on purpose/],
  ['signal', 'main', { code: null, signal: 'SIGTERM' }, /^$/],
  ['exit', 'worker', { code: 7, signal: null }, /^$/],
  ['throw', 'worker', { code: 1, signal: null }, /Error: on purpose/],
  ['signal', 'worker', { code: null, signal: 'SIGTERM' }, /^$/]
]

for (const [ending, thread, { code, signal }, stderr] of ENDS) {
  const where = thread === 'worker' ? ' while a worker serves' : ''
  test(`case 40: ${ending}${where}: the process ends as without an exporter, with clients in any state`, LIMIT, async (t) => {
    const plain = await runsOfApp(t, 'none', ending, [])
    assert.deepEqual({ code: plain.end.code, signal: plain.end.signal }, { code, signal })
    assert.match(plain.end.stderr, stderr)
    const all = thread === 'worker' ? [['idle', 'active', 'stalled']] : STATES
    for (const states of all) {
      const { end, took } = await runsOfApp(t, thread, ending, states)
      const clients = states.join(', ') || 'no'
      t.diagnostic(`${clients} clients: ${took.toFixed(0)} ms, without an exporter ${plain.took.toFixed(0)} ms`)
      assert.deepEqual(end, plain.end, `${clients} clients`)
      assert.ok(took - plain.took < STOP_GRACE_MS, `${clients} clients: ${took} ms, without an exporter ${plain.took} ms`)
    }
  })
}

/** Runs ten workers on one port, one after another. Returns the median duration of their ends. */
async function runWorkers (t, kind, ending, states) {
  const program = startProgram(t, WORKERS, [kind, ending])
  const times = []
  const ports = new Set()
  for (let round = 0; round < 10; round++) {
    const port = Number((await program.line(/^port (\d+)$/))[1])
    ports.add(port)
    const connected = await connectAll(t, port, states)
    program.say('end')
    times.push(Number((await program.line(/^ended (.+)$/))[1]))
    for (const client of connected) await client.ended()
  }
  const { code, signal, stderr } = await program.ended()
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
  assert.equal(ports.size, 1, 'each worker got the same port')
  return median(times)
}

for (const [ending, what] of [
  ['terminate', 'worker.terminate()'], ['natural', 'a worker\'s natural end'],
  ['exit', 'process.exit() in a worker'], ['throw', 'an uncaught error in a worker']
]) {
  test(`case 40: ${what}, ten times: the port is free each time, with clients in any state`, LIMIT, async (t) => {
    const plain = await runWorkers(t, 'none', ending, [])
    const all = ending === 'terminate' ? STATES : [['idle', 'active', 'stalled']]
    for (const states of all) {
      const took = await runWorkers(t, 'exporter', ending, states)
      const clients = states.join(', ') || 'no'
      t.diagnostic(`${clients} clients: ${took.toFixed(0)} ms, without an exporter ${plain.toFixed(0)} ms`)
      assert.ok(took - plain < STOP_GRACE_MS, `${clients} clients: ${took} ms, without an exporter ${plain} ms`)
    }
  })
}
