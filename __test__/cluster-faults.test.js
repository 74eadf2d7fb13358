'use strict'

/*
 * Tests with processes that hang or are hostile, and with processes of other users. The Rust tests of `src/cluster` cover
 * members that send wrong bytes after they have joined.
 */

const { test, describe } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const { createCluster, processesOf } = require('./cluster/processes')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')

const isWindows = process.platform === 'win32'
/** A user without rights; only root can start processes of another user. */
const NOBODY = 65534
const notRoot = process.getuid?.() !== 0 && 'only root can start a process of another user'

describe('a process that is stopped', { skip: isWindows && 'there is no SIGSTOP' }, () => {
  test('is left out of the page, and the page reports this; when it continues, it is on the page with its number', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start(), await cluster.start()]
    for (const one of processes) await one.count(2, 'a')
    processes[1].child.kill('SIGSTOP')
    const headers = { 'x-prometheus-scrape-timeout-seconds': '1' }
    for (let round = 0; round < 12; round++) {
      const page = await cluster.page({ headers })
      const { samples } = page.get('hypertrace_scrape_incomplete')
      assert.deepEqual(samples.map(({ labels, value }) => [labels.process, value]), [['1', 0], ['2', 1], ['3', 0]])
      assert.ok(page.get('trace_counter').samples.every(({ labels }) => labels.process !== '2'))
    }
    processes[1].child.kill('SIGCONT')
    await cluster.processes([1, 2, 3])
    assert.deepEqual(await cluster.counts(), { 1: { a: 2 }, 2: { a: 2 }, 3: { a: 2 } })
    await cluster.stopAll()
  })

  test('does not delay the calls of the others if it is the opener; when it continues, the page has their calls', async (t) => {
    const cluster = await createCluster(t)
    const [opener, member] = [await cluster.start(), await cluster.start()]
    await member.count(1, 'a')
    opener.child.kill('SIGSTOP')
    await member.count(1, 'a') // counting does not wait
    opener.child.kill('SIGCONT')
    assert.deepEqual(await cluster.counts(), { 2: { a: 2 } })
    await cluster.stopAll()
  })
})

describe('a process of the same user that does not speak the protocol', () => {
  test('does no harm with garbage, half a message, an endless message, or a thousand connections', async (t) => {
    const cluster = await createCluster(t)
    const processes = [await cluster.start(), await cluster.start()]
    for (const one of processes) await one.count(1, 'a')
    const path = cluster.socketOf(cluster.names()[0])
    const first = [
      Buffer.from('GET /metrics HTTP/1.1\r\n\r\n'),
      Buffer.alloc(1000, 0xff),
      Buffer.alloc(1000),
      Buffer.from([1, 0, 0, 0, 1]),
      Buffer.from([0xff, 0xff, 3, 0])
    ]
    for (const bytes of first) {
      const socket = net.connect({ path })
      socket.on('error', () => {})
      socket.write(bytes)
      t.after(() => socket.destroy())
    }
    const endless = net.connect({ path })
    endless.on('error', () => {})
    const writing = setInterval(() => endless.write(Buffer.alloc(100_000, 1)), 1)
    t.after(() => { clearInterval(writing); endless.destroy() })
    const silent = Array.from({ length: 1000 }, () => net.connect({ path }).on('error', () => {}))
    t.after(() => silent.forEach((socket) => socket.destroy()))
    for (let round = 0; round < 5; round++) {
      assert.deepEqual(await cluster.counts(), { 1: { a: 1 }, 2: { a: 1 } })
      await sleep(20)
    }
    silent.forEach((socket) => socket.destroy())
    await cluster.start()
    await cluster.processes([1, 2, 3])
    await cluster.stopAll()
  })

  test('does not become the opener if it listens as an opener does', async (t) => {
    const cluster = await createCluster(t)
    const name = `hypertrace-${cluster.port}-1-0123456789abcdef`
    const file = path.join(cluster.folder, name)
    if (isWindows) {
      fs.mkdirSync(cluster.folder)
      fs.writeFileSync(file, '')
    } else {
      fs.mkdirSync(file, { mode: 0o700 })
    }
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.write(Buffer.alloc(100, 0xff))
    }).listen(cluster.socketOf(name))
    await once(server, 'listening')
    const first = await cluster.start()
    await first.count(1, 'a')
    await cluster.start() // may ask the false opener first
    await cluster.processes([1, 2])
    server.close()
    fs.rmSync(file, { recursive: true, force: true })
    await cluster.stopAll()
  })
})

describe('a process of another user', { skip: notRoot }, () => {
  const HOSTILE = path.join(__dirname, 'cluster', 'hostile.js')

  test('cannot connect to the socket, read its folder, or join', async (t) => {
    const cluster = await createCluster(t)
    fs.chmodSync(cluster.folder, 0o755)
    const opener = await cluster.start()
    await opener.count(1, 'a')
    const folder = path.join(cluster.folder, cluster.names()[0])
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700)
    const program = startProgram(t, HOSTILE, [String(NOBODY), 'connect', folder, String(cluster.port)], { env: cluster.env })
    assert.equal((await program.line(/^folder (.*)$/))[1], 'EACCES')
    assert.equal((await program.line(/^socket (.*)$/))[1], 'EACCES')
    assert.equal((await program.line(/^joined (.*)$/))[1], 'EADDRINUSE')
    await program.ended()
    assert.deepEqual(processesOf(await cluster.page()), [1])
    await cluster.stopAll()
  })

  test('cannot take the place of the opener, or block the opener, with entries of its own in a shared folder', async (t) => {
    const cluster = await createCluster(t)
    // A folder like /tmp: each user can create entries, and rename only their own.
    const shared = fs.mkdtempSync(path.join(os.tmpdir(), 'shared-'))
    fs.chmodSync(shared, 0o1777)
    t.after(() => fs.rmSync(shared, { recursive: true, force: true }))
    const program = startProgram(t, HOSTILE, [String(NOBODY), 'plant', shared, String(cluster.port)])
    await program.line(/^planted$/)
    assert.ok(fs.readdirSync(shared).length >= 3)
    // Unlike the XDG_RUNTIME_DIR of a login, this folder can be written by other users. The processes use it nevertheless.
    cluster.env.XDG_RUNTIME_DIR = shared
    const opener = await cluster.start()
    await opener.count(1, 'a')
    const member = await cluster.start()
    await member.count(1, 'a')
    assert.deepEqual(await cluster.counts(), { 1: { a: 1 }, 2: { a: 1 } })
    program.say('connections')
    assert.deepEqual(await program.line(/^connections (\d+)$/).then(([, n]) => n), '0', 'no process has connected to the other user')
    await opener.kill()
    await cluster.processes([2])
    await member.ask('stop', /^stopped$/)
    await until(() => fs.readdirSync(shared).every((name) => fs.statSync(path.join(shared, name)).uid === NOBODY), 'the folders of this user are removed')
    assert.ok(fs.readdirSync(shared).length >= 3, 'the folders of the other user remain')
  })
})
