'use strict'

/*
 * Tests the start, the errors and the end of the server through the public API. The Rust tests in tests/ test the protocol
 * on raw sockets.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const HypertracePrometheus = require('..')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { holdings, serverThreads } = require('./support/left-behind')
const { payload } = require('./support/payload')
const { hasIPv6, occupy, assertFree } = require('./support/ports')
const { until } = require('./support/until')

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const LIMIT = { timeout: 60_000 }
const isLinux = process.platform === 'linux'

function start (t, options) {
  const traceFunction = HypertracePrometheus({ port: 0, ...options })
  t.after(() => traceFunction.stop())
  return traceFunction
}

/** Returns the resources of this process after the threads of earlier servers have ended: a thread ends just after stop() resolves. */
async function settledHoldings () {
  await until(() => (serverThreads() ?? []).length === 0, 'every server thread has ended')
  await new Promise((resolve) => setImmediate(resolve)) // Node.js closes its own handles in between
  return holdings()
}

/** Sends one request and resolves to the response, whose body is not read yet. */
function ask (port, { path = '/metrics', method = 'GET', agent } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, agent: agent ?? false, timeout: 10_000 })
    request.on('timeout', () => request.destroy(new Error('no answer within ten seconds')))
    request.on('response', (response) => resolve({ request, response }))
    request.on('error', reject)
    request.end()
  })
}

/** Reads the body of a response; rejects if it is cut. */
async function bodyOf (response) {
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Counts so many series that the page has this size: more than the buffers of the sockets. */
function fill (traceFunction, megabytes) {
  const filename = '/' + 'x'.repeat(1000)
  const series = megabytes * 950
  for (let id = 1; id <= series; id++) traceFunction(payload({ object: { id }, caller: { filename } }))
  return series
}

const factsOf = ({ name, message, code, errno, syscall, address, port }) => ({ name, message, code, errno, syscall, address, port })

/** Returns the error of a Node.js server on the same port. */
async function nodesError (port, host) {
  const error = await occupy(port, host).then(() => null, (error) => error)
  assert.notEqual(error, null, 'a Node.js server could listen')
  return error
}

test('the server answers when the call returns, on any free port', LIMIT, async (t) => {
  const traceFunction = start(t)
  const { address, family, port } = traceFunction.address()
  assert.equal(address, '127.0.0.1')
  assert.equal(family, 'IPv4')
  assert.ok(port > 0 && port < 65_536)
  traceFunction(payload())
  const { status, headers, body } = await get({ port })
  assert.equal(status, 200)
  assert.equal(headers['content-type'], CONTENT_TYPE)
  assert.equal(traceFunction.contentType, CONTENT_TYPE)
  assert.ok(Math.abs(Date.parse(headers.date) - Date.now()) < 60_000)
  assert.equal(parse(body).get('trace_counter').samples[0].value, 1)
  await traceFunction.stop()
  assert.equal(traceFunction.address(), null)
})

test('a port may be the digits of an environment variable', LIMIT, async (t) => {
  const traceFunction = start(t, { port: '0' })
  assert.equal((await get({ port: traceFunction.address().port })).status, 200)
})

test('many requests share one connection of the Node.js client, whatever their path and method', LIMIT, async (t) => {
  const { port } = start(t).address()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const table = [
    ['GET', '/metrics', 200, CONTENT_TYPE],
    ['HEAD', '/metrics', 200, CONTENT_TYPE],
    ['GET', '/metrics?x=%00&name[]=a', 200, CONTENT_TYPE],
    ['GET', '/', 200, null],
    ['HEAD', '/', 200, null],
    ['GET', '/nope', 404, 'text/plain; charset=utf-8'],
    ['HEAD', '/nope', 404, 'text/plain; charset=utf-8'],
    ['GET', '//metrics', 404, 'text/plain; charset=utf-8'],
    ['POST', '/metrics', 405, 'text/plain; charset=utf-8'],
    ['OPTIONS', '/metrics', null, null],
    ['GET', '/metrics', 200, CONTENT_TYPE]
  ]
  let requests = 0
  for (const [method, path, status, contentType] of table) {
    const { request, response } = await ask(port, { path, method, agent })
    const body = await bodyOf(response)
    const what = `${method} ${path}`
    if (status !== null) assert.equal(response.statusCode, status, what)
    if (contentType !== null) assert.equal(response.headers['content-type'], contentType, what)
    if (method === 'HEAD') assert.equal(body, '', what)
    if (method === 'GET') assert.notEqual(body, '', what)
    if (status === 405) assert.equal(response.headers.allow, 'GET, HEAD')
    assert.equal(request.reusedSocket, requests++ > 0, `${what} uses the connection of the earlier requests`)
  }
})

test('case 35: a port in use throws the error of Node.js, nothing stays open, and a retry works', LIMIT, async (t) => {
  for (const host of hasIPv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    const other = await occupy(0, host)
    t.after(other.free)
    const { port } = other
    const theirs = await nodesError(port, host)
    const before = await settledHoldings()
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.throws(() => HypertracePrometheus({ port }), (error) => {
        assert.ok(error instanceof Error)
        assert.deepEqual({ ...factsOf(error), message: '' }, { ...factsOf(theirs), message: '' })
        assert.ok(error.message.startsWith(theirs.message), error.message) // a hint may follow
        assert.equal(error.code, 'EADDRINUSE')
        return true
      })
      assert.deepEqual(holdings(), before)
    }
    await other.free()
    const traceFunction = start(t, { port })
    assert.equal((await get({ port })).status, 200)
    await traceFunction.stop()
    await assertFree(port)
  }
})

test('case 35: two exporters of one thread do not share a port', LIMIT, async (t) => {
  const first = start(t)
  const { port } = first.address()
  assert.throws(() => HypertracePrometheus({ port }), { code: 'EADDRINUSE', syscall: 'listen', port })
  assert.equal((await get({ port })).status, 200)
  await first.stop()
  start(t, { port })
  assert.equal((await get({ port })).status, 200)
})

test('case 35: a register is unchanged when the port is in use', LIMIT, async (t) => {
  const { Registry } = require('prom-client')
  const register = new Registry()
  const { port } = start(t).address()
  assert.throws(() => HypertracePrometheus({ port, register }), { code: 'EADDRINUSE' })
  assert.deepEqual(register.getMetricsAsArray(), [])
})

const freePorts = isLinux ? Number(fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1')) : 0
const anyPort = freePorts > 80 ? false : 'on this machine every user may open port 80'

test('case 35: a privileged port throws the error of Node.js, and nothing stays open', { skip: anyPort, ...LIMIT }, () => {
  const { ours, theirs, before, after } = run('listen.js', ['localhost', '80'])
  assert.equal(ours.code, 'EACCES')
  assert.deepEqual(ours, theirs)
  assert.deepEqual(after, before)
})

test('case 36: a host that cannot be listened on throws, and nothing stays open', LIMIT, async () => {
  const before = await settledHoldings()
  const notFound = (host) => ({
    name: 'Error', message: `getaddrinfo ENOTFOUND ${host}`, code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: host
  })
  const table = [
    ['256.1.1.1', notFound('256.1.1.1')],
    ['no.such.host.invalid', notFound('no.such.host.invalid')],
    ['203.0.113.9', {
      name: 'Error',
      message: 'listen EADDRNOTAVAIL: address not available 203.0.113.9:4343',
      code: 'EADDRNOTAVAIL',
      syscall: 'listen',
      address: '203.0.113.9',
      port: 4343,
      errno: os.platform() === 'win32' ? -4090 : -os.constants.errno.EADDRNOTAVAIL
    }]
  ]
  for (const [host, expected] of table) {
    assert.throws(() => HypertracePrometheus({ host, port: 4343 }), expected)
    assert.deepEqual(holdings(), before, host)
  }
})

test('case 37: localhost answers on both loopbacks', { skip: !hasIPv6 && 'this machine has no IPv6', ...LIMIT }, async (t) => {
  const { port } = start(t).address()
  for (const host of ['127.0.0.1', '::1', 'localhost']) assert.equal((await get({ port, host })).status, 200, host)
})

test('case 37: :: answers on both families', { skip: !hasIPv6 && 'this machine has no IPv6', ...LIMIT }, async (t) => {
  const traceFunction = start(t, { host: '::' })
  const { port, address, family } = traceFunction.address()
  assert.deepEqual([address, family], ['::', 'IPv6'])
  for (const host of ['127.0.0.1', '::1']) assert.equal((await get({ port, host })).status, 200, host)
})

test('case 37: with the hosts 0.0.0.0 and 127.0.0.1 the server answers on IPv4 only', LIMIT, async (t) => {
  for (const host of ['0.0.0.0', '127.0.0.1']) {
    const { port, address, family } = start(t, { host }).address()
    assert.deepEqual([address, family], [host, 'IPv4'])
    assert.equal((await get({ port, host: '127.0.0.1' })).status, 200)
    if (hasIPv6) await assert.rejects(get({ port, host: '::1' }), { code: 'ECONNREFUSED' })
  }
})

test('case 37: an IPv4 address in the form of IPv6 answers on IPv4, as with Node.js', { skip: !hasIPv6 && 'this machine has no IPv6', ...LIMIT }, async (t) => {
  const { port, address, family } = start(t, { host: '::ffff:127.0.0.1' }).address()
  assert.deepEqual([address, family], ['::ffff:127.0.0.1', 'IPv6'])
  assert.equal((await get({ port, host: '127.0.0.1' })).status, 200)
})

// A network with a link-local address.
const WITH_LINK_LOCAL = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && ip addr add fe80::5/64 dev lo nodad && exec "$@"', 'sh']
const noLinkLocal = spawnSync(WITH_LINK_LOCAL[0], [...WITH_LINK_LOCAL.slice(1), 'true']).status === 0
  ? false
  : 'a network with a link-local address needs root on Linux, unshare and ip'

test('case 37: a link-local address keeps its zone', { skip: noLinkLocal, ...LIMIT }, () => {
  const { address, answers } = run('listen.js', ['fe80::5%lo', '0', 'fe80::5%lo'], WITH_LINK_LOCAL)
  assert.equal(address, 'fe80::5%lo')
  assert.equal(answers['fe80::5%lo'], 200)
})

// A network namespace without IPv6.
const WITHOUT_IPV6 = ['unshare', '-n', 'sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && exec "$@"', 'sh']
const noNetwork = spawnSync(WITHOUT_IPV6[0], [...WITHOUT_IPV6.slice(1), 'true']).status === 0
  ? false
  : 'a network without IPv6 needs root on Linux, unshare and ip'

test('case 37: without IPv6 localhost and :: answer on IPv4', { skip: noNetwork, ...LIMIT }, () => {
  for (const host of ['localhost', '::']) {
    const { answers } = run('listen.js', [host, '0', '127.0.0.1', '::1'], WITHOUT_IPV6)
    assert.equal(answers['127.0.0.1'], 200, host)
    assert.notEqual(answers['::1'], 200, 'this network has no IPv6')
  }
})

test('case 38: a scrape in progress when stop() is called is complete', LIMIT, async (t) => {
  const traceFunction = start(t, { collectDefaults: false })
  const { port } = traceFunction.address()
  const series = fill(traceFunction, 3)
  const { response } = await ask(port)
  const stopped = traceFunction.stop()
  const body = await bodyOf(response)
  assert.equal(parse(body).get('trace_counter').samples.length, series)
  await stopped
  await assertFree(port)
})

test('case 38: a scrape whose client does not read is cut, with an error for the client', LIMIT, async (t) => {
  const traceFunction = start(t, { collectDefaults: false })
  const { port } = traceFunction.address()
  fill(traceFunction, 4)
  const { response } = await ask(port)
  await traceFunction.stop()
  await assertFree(port)
  await assert.rejects(bodyOf(response), { code: 'ECONNRESET' })
})

test('case 38: simultaneous and repeated calls of stop() stop the server once', LIMIT, async (t) => {
  const traceFunction = start(t)
  const { port } = traceFunction.address()
  const first = traceFunction.stop()
  assert.equal(traceFunction.stop(), first)
  assert.equal(await first, undefined)
  assert.equal(traceFunction.stop(), first)
  await assertFree(port)
  assert.equal(traceFunction.ref(), traceFunction)
  assert.equal(traceFunction.unref(), traceFunction)

  const many = Array.from({ length: 10 }, () => start(t))
  const ports = many.map((one) => one.address().port)
  await Promise.all(many.map((one) => one.stop()))
  for (const port of ports) await assertFree(port)
})

test('case 38: no request after stop() is answered', LIMIT, async (t) => {
  const traceFunction = start(t)
  const { port } = traceFunction.address()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  await bodyOf((await ask(port, { agent })).response)

  const onOpenConnection = () => ask(port, { agent })
  const onNewConnection = () => ask(port)
  const stopped = traceFunction.stop()
  for (const request of [onOpenConnection, onNewConnection, onOpenConnection]) {
    await assert.rejects(request(), ({ code }) => code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE')
  }
  await stopped
  await assert.rejects(ask(port), { code: 'ECONNREFUSED' })
})

test('case 38: two hundred restarts on one port', LIMIT, async (t) => {
  let traceFunction = start(t)
  const { port } = traceFunction.address()
  for (let restart = 0; restart < 200; restart++) {
    await traceFunction.stop()
    traceFunction = HypertracePrometheus({ port })
    if (restart % 10 === 0) assert.equal((await get({ port })).status, 200)
  }
  await traceFunction.stop()
  await assertFree(port)
  await settledHoldings()
})

test('metrics() and counting work after stop()', LIMIT, async (t) => {
  const traceFunction = start(t)
  traceFunction(payload())
  await traceFunction.stop()
  traceFunction(payload())
  assert.equal(parse(await traceFunction.metrics()).get('trace_counter').samples[0].value, 2)
})

const LIFE = [
  [['serve'], true],
  [['serve', 'unref'], false],
  [['serve', 'unref', 'ref'], true],
  [['serve', 'ref', 'unref', 'ref', 'unref'], false],
  [[], false],
  [['ref'], false]
]
for (const [words, keepsAlive] of LIFE) {
  test(`${words.join(', ') || 'no server'}: ${keepsAlive ? 'keeps' : 'does not keep'} the process alive`, LIMIT, () => {
    assert.equal(runText('keeps-alive.js', words), keepsAlive ? 'kept alive\n' : 'not kept alive\n')
  })
}

/** Runs a child program of this file and returns its result. */
function run (name, args, under = []) {
  return JSON.parse(runText(name, args, under))
}

function runText (name, args, under = []) {
  const [command, ...rest] = [...under, process.execPath, path.join(__dirname, 'server', name), ...args]
  const { status, signal, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8', timeout: 30_000 })
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' })
  return stdout
}
