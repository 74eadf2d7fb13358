'use strict'

/*
 * Processes that share a port. Every few seconds one of them is killed; it may be the one that has opened the port. The page is
 * compared with the calls that the processes report.
 */

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const MEMBERS = 3
const KILL_MS = 6_000
/** The time after which another process has taken the port over, on a busy machine too. */
const TAKE_OVER_MS = 4_000
const COUNTED = /^trace_counter\{.*object_id="(\d+)".*\} (\d+)$/gm

/**
 * Runs until `isOver` returns true.
 *
 * @param {() => boolean} isOver
 * @returns {Promise<string>} a sentence for the log
 */
async function soakCluster (isOver) {
  const port = await freePort()
  /** @type {Map<number, { child: import('node:child_process').ChildProcess, calls: number }>} by process id */
  const members = new Map()
  const start = async () => {
    const child = fork(path.join(__dirname, 'member.js'), [String(port)])
    const member = { child, calls: 0 }
    child.on('message', (/** @type {number} */ calls) => { member.calls = calls })
    await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => assert.fail(`a process of the port ended: ${code}`))])
    members.set(Number(child.pid), member)
  }
  const kill = async () => {
    const [pid, { child }] = [...members][Math.floor(Math.random() * members.size)]
    members.delete(pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  let kills = 0
  let pages = 0
  /** @type {Map<string, number>} */
  let before = new Map()
  for (let n = 0; n < MEMBERS; n++) await start()
  let killed = performance.now()
  try {
    while (!isOver()) {
      await sleep(200)
      const isSettled = performance.now() - killed > TAKE_OVER_MS
      const least = new Map([...members].map(([pid, { calls }]) => [pid, calls]))
      const page = await get(port).catch((err) => {
        if (isSettled) throw err
      })
      if (page !== undefined) {
        const now = new Map()
        for (const [, pid, text] of page.matchAll(COUNTED)) {
          assert.ok(!now.has(pid), `process ${pid} is on the page twice`)
          now.set(pid, Number(text))
          assert.ok(Number(text) >= (before.get(pid) ?? 0), `the calls of process ${pid} fell to ${text}`)
        }
        if (isSettled) for (const [pid, calls] of least) assert.ok(now.get(String(pid)) >= calls, `process ${pid}: ${now.get(String(pid))} of ${calls} calls`)
        before = now
        pages++
      }
      if (performance.now() - killed < KILL_MS) continue
      await kill()
      kills++
      await start()
      killed = performance.now()
    }
  } finally {
    for (const { child } of members.values()) child.kill('SIGKILL')
  }
  return `${kills} processes of a shared port were killed, ${pages} pages`
}

/**
 * @param {number} port
 * @returns {Promise<string>}
 */
async function get (port) {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) })
  assert.equal(response.status, 200)
  return response.text()
}

async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {net.AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

module.exports = { soakCluster }
