'use strict'

// Tests the page over TLS, with the clients of Node.js, OpenSSL, Python and Prometheus.

const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const { after, afterEach, before, test } = require('node:test')
const tls = require('node:tls')
const { inspect } = require('node:util')
const { Worker } = require('node:worker_threads')

const HypertracePrometheus = require('..')
const { createCertificates } = require('./support/certificates')
const { createExporters } = require('./support/exporters')
const { get } = require('./support/http')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const ROOT = path.join(__dirname, '..')
const OPENER = path.join(__dirname, 'auth', 'open.js')
const { start, stopAll } = createExporters()
afterEach(stopAll)

const skip = lacks('openssl')
const LIMIT_MS = 20_000

let certificates, authority, server, other, clients, client, otherClient
before(() => {
  if (skip) return
  certificates = createCertificates()
  authority = certificates.authority('authority')
  server = certificates.server(authority)
  other = certificates.server(authority, 'rsa')
  clients = certificates.authority('clients')
  client = certificates.client(clients)
  otherClient = certificates.client(authority)
})
after(() => certificates?.remove())

/** Starts a server with TLS; `ask` sends one GET. */
function serve (options, more) {
  const traceFunction = start({ port: 0, host: '127.0.0.1', tls: { cert: server.cert, key: server.key, ...options }, ...more })
  const { port } = traceFunction.address()
  const ask = (how) => get({ port, host: '127.0.0.1', secure: true, ca: authority.cert, servername: 'localhost', ...how })
  return { traceFunction, port, ask }
}

/** Opens a connection and completes the handshake. */
async function connect (port, how) {
  const socket = tls.connect({ port, host: '127.0.0.1', ca: authority.cert, servername: 'localhost', ...how })
  await once(socket, 'secureConnect', { signal: AbortSignal.timeout(LIMIT_MS) })
  return socket
}

/** Scrapes once on an open connection. */
async function scrape (socket) {
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let text = ''
  while (!/\r\n\r\n[^]*(\n|\r\n0\r\n\r\n)$/.test(text)) {
    const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(LIMIT_MS) })
    text += chunk
  }
  return text
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`tls: the client of Node.js reads the page over ${version}, with strings or Buffers`, { skip }, async () => {
    for (const read of [String, Buffer.from, (pem) => new Uint8Array(Buffer.from(pem))]) {
      const { ask, port } = serve({ cert: read(server.cert), key: read(server.key) })
      const { status, body } = await ask({ minVersion: version, maxVersion: version })
      assert.equal(status, 200)
      assert.match(body, /^# HELP trace_counter /)
      assert.equal((await ask({ path: '/history.json?seconds=1' })).status, 200)
      const socket = await connect(port, { minVersion: version, maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] })
      assert.equal(socket.getProtocol(), version)
      assert.equal(socket.alpnProtocol, 'http/1.1')
      socket.destroy()
    }
  })
}

for (const kind of ['ec', 'rsa', 'ed25519']) {
  test(`tls: the server accepts a key of the kind ${kind}`, { skip }, async () => {
    const { cert, key } = certificates.server(authority, kind)
    assert.equal((await serve({ cert, key }).ask()).status, 200)
  })
}

test('tls: a page of many chunks is complete', { skip }, async () => {
  const { traceFunction, ask } = serve()
  const count = 30_000
  for (let i = 0; i < count; i++) {
    traceFunction({ id: `call ${i}`, object: { className: 'A', id: 1 }, caller: { functionName: 'f', filename: '/a.js' } })
  }
  const { body } = await ask()
  assert.equal(body.match(/^trace_counter\{/gm).length, count)
})

test('tls: versions before minVersion are refused, and version 1.1 is always refused', { skip }, async () => {
  const { port } = serve({ minVersion: 'TLSv1.3' })
  await assert.rejects(connect(port, { maxVersion: 'TLSv1.2' }), { message: /alert (protocol version|handshake failure)/ })
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }
  await assert.rejects(connect(serve().port, old), { message: /alert (protocol version|handshake failure)/ })
})

test('tls: a client that does not trust the authority disconnects, and a client without TLS gets a 400', { skip }, async () => {
  const { port, ask } = serve()
  await assert.rejects(ask({ ca: clients.cert }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  const { status, body } = await get({ port, host: '127.0.0.1' })
  assert.deepEqual([status, body], [400, 'This is an HTTPS server. Use https:// in the URL.\n'])
  assert.equal((await ask()).status, 200)
})

test('tls: a client certificate that is its own authority is accepted as in Node.js, and so is a certificate of version 1', { skip }, async () => {
  const own = certificates.authority('scraper')
  const namesake = certificates.authority('clients')
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    for (const kind of ['ec', 'rsa']) {
      const first = certificates.version1(clients, kind)
      const accepted = [[own, own], [first, clients], [first, { cert: namesake.cert + clients.cert }], [certificates.version1(undefined, kind), undefined]]
      for (const [{ cert, key }, ca] of accepted) {
        const { ask } = serve({ ca: (ca ?? { cert }).cert })
        assert.equal((await ask({ maxVersion, cert, key })).status, 200)
      }
      const { ask } = serve({ ca: namesake.cert })
      for (const { cert, key } of [own, first]) await assert.rejects(ask({ maxVersion, cert, key }), { message: /alert/ })
    }
  }
})

test('tls: with ca, only clients with a certificate of that authority have access', { skip }, async () => {
  const { ask } = serve({ ca: clients.cert })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    assert.equal((await ask({ maxVersion, cert: client.cert, key: client.key })).status, 200)
    await assert.rejects(ask({ maxVersion }), { message: /alert (certificate required|handshake failure)/ })
    await assert.rejects(ask({ maxVersion, cert: otherClient.cert, key: otherClient.key }), { message: /alert unknown ca/ })
  }
  const both = serve({ ca: authority.cert + clients.cert })
  assert.equal((await both.ask({ cert: client.cert, key: client.key })).status, 200)
  assert.equal((await both.ask({ cert: otherClient.cert, key: otherClient.key })).status, 200)
})

test('tls: credentials are required after the handshake', { skip }, async () => {
  const { ask } = serve({}, { auth: { bearer: 'token' } })
  assert.equal((await ask()).status, 401)
  assert.equal((await ask({ headers: { authorization: 'Bearer token' } })).status, 200)
})

test('tls: openssl s_client verifies the certificate and reads the page', { skip }, async () => {
  const { port } = serve({ ca: clients.cert })
  for (const version of ['-tls1_2', '-tls1_3']) {
    const child = spawn('openssl', [
      's_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', version, '-verify_return_error',
      '-CAfile', authority.files.cert, '-cert', client.files.cert, '-key', client.files.key, '-alpn', 'http/1.1', '-ign_eof'
    ], { timeout: LIMIT_MS })
    child.stdin.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    let output = ''
    child.stdout.on('data', (text) => { output += text })
    await once(child, 'close')
    assert.match(output, /Verification: OK|Verify return code: 0/)
    assert.match(output, /ALPN protocol: http\/1\.1/)
    assert.match(output, /HTTP\/1\.1 200 OK/)
    assert.match(output, /# HELP trace_counter/)
  }
})

test('tls: the client of Python\'s standard library reads the page, with a certificate and a password', { skip: skip || lacks('python3') }, () => {
  const { port } = serve({ ca: clients.cert }, { auth: { username: 'u', password: 'p' } })
  const script = `
import base64, ssl, sys, urllib.request as r
url, ca, cert, key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
request = r.Request(url, headers={'Authorization': 'Basic ' + base64.b64encode(b'u:p').decode()})
opener = r.build_opener(r.ProxyHandler({}), r.HTTPSHandler(context=context))
print(opener.open(request, timeout=10).read().decode()[:6])
`
  const { stdout, stderr } = spawnSync('python3', [
    '-c', script, `https://127.0.0.1:${port}/metrics`, authority.files.cert, client.files.cert, client.files.key
  ], { encoding: 'utf8' })
  assert.equal(stdout.trim(), '# HELP', stderr)
})

test('tls: a real Prometheus scrapes over https, with basic auth and with a client certificate', { skip: skip || lacks('prometheus'), timeout: 60_000 }, async (t) => {
  const basic = serve({}, { auth: { username: 'prometheus', password: 'a password' } })
  const certified = serve({ ca: clients.cert })
  const known = { ca_file: authority.files.cert, server_name: 'localhost' }
  const job = ({ port }, more) => ({ target: `127.0.0.1:${port}`, more: { scheme: 'https', tls_config: known, ...more } })
  const prometheus = await startPrometheus(t, {
    basic: job(basic, { basic_auth: { username: 'prometheus', password: 'a password' } }),
    certified: job(certified, { tls_config: { ...known, cert_file: client.files.cert, key_file: client.files.key } }),
    uncertified: job(certified),
    distrusting: job(certified, { tls_config: { ca_file: clients.files.cert } })
  })
  await prometheus.up('basic')
  await prometheus.up('certified')
  for (const [name, error] of [['uncertified', /certificate required/], ['distrusting', /unknown authority|signed by/]]) {
    await until(async () => (await prometheus.target(name)).health === 'down', `${name} is down`)
    assert.match((await prometheus.target(name)).lastError, error)
  }
  assert.equal(await prometheus.value('up{job="certified"}'), 1)
})

test('tls: setSecureContext replaces the certificate, and open connections stay open', { skip }, async () => {
  const { traceFunction, port, ask } = serve()
  const open = await connect(port)
  const serial = (socket) => socket.getPeerCertificate().fingerprint256
  const first = serial(open)
  await scrape(open)
  assert.equal(traceFunction.setSecureContext({ cert: other.cert, key: other.key }), undefined)
  const second = await connect(port)
  assert.notEqual(serial(second), first)
  // An earlier session does not bring the old certificate back.
  const resumed = await connect(port, { session: open.getSession() })
  assert.equal(resumed.isSessionReused(), false)
  assert.match(await scrape(open), /^HTTP\/1\.1 200 OK/)
  assert.match(await scrape(second), /^HTTP\/1\.1 200 OK/)

  const wrong = [{ cert: server.cert, key: other.key }, { cert: 'x', key: 'y' }, { cert: server.cert }, null, undefined, 'x']
  for (const context of wrong) assert.throws(() => traceFunction.setSecureContext(context), { code: /^ERR_INVALID_ARG_/ })
  const third = await connect(port)
  assert.equal(serial(third), serial(second), 'a context that is refused changes nothing')

  traceFunction.setSecureContext({ cert: server.cert, key: server.key, ca: clients.cert, minVersion: 'TLSv1.3' })
  await assert.rejects(ask(), { message: /alert certificate required/ })
  assert.equal((await ask({ cert: client.cert, key: client.key })).status, 200)
  for (const socket of [open, second, resumed, third]) socket.destroy()
  await traceFunction.stop()
  traceFunction.setSecureContext({ cert: other.cert, key: other.key })
})

test('tls: setSecureContext keeps ca and minVersion unless they are given', { skip }, async () => {
  const { traceFunction, ask } = serve({ ca: clients.cert, minVersion: 'TLSv1.3' })
  const own = { cert: client.cert, key: client.key }
  const assertStrict = async () => {
    await assert.rejects(ask(), { message: /alert certificate required/ })
    await assert.rejects(ask({ ...own, maxVersion: 'TLSv1.2' }), { message: /alert (protocol version|handshake failure)/ })
    assert.equal((await ask(own)).status, 200)
  }
  for (const { cert, key } of [other, server]) {
    traceFunction.setSecureContext({ cert, key })
    await assertStrict()
    traceFunction.setSecureContext({ cert, key, ca: undefined, minVersion: null })
    await assertStrict()
  }
  traceFunction.setSecureContext({ cert: other.cert, key: other.key, minVersion: 'TLSv1.2' })
  await assert.rejects(ask())
  assert.equal((await ask({ ...own, maxVersion: 'TLSv1.2' })).status, 200)
  traceFunction.setSecureContext({ cert: other.cert, key: other.key, ca: authority.cert })
  await assert.rejects(ask(own), { message: /alert unknown ca/ })
  traceFunction.setSecureContext({ cert: other.cert, key: other.key, ca: null })
  assert.equal((await ask()).status, 200)
})

test('tls: setSecureContext in one thread keeps the ca that another thread has set', { skip }, async () => {
  const { traceFunction, port, ask } = serve({ ca: authority.cert })
  traceFunction.setSecureContext({ cert: server.cert, key: server.key, ca: clients.cert })
  const { cert, key } = server
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const traceFunction = require(${JSON.stringify(ROOT)})({ host: '127.0.0.1', collectDefaults: false, ...workerData })
    const { cert, key } = workerData.tls
    traceFunction.setSecureContext({ cert, key })
    traceFunction.stop()`
  const worker = new Worker(script, { eval: true, workerData: { port, tls: { cert, key, ca: authority.cert } } })
  await once(worker, 'exit')
  assert.equal((await ask({ cert: client.cert, key: client.key })).status, 200)
  await assert.rejects(ask({ cert: otherClient.cert, key: otherClient.key }), { message: /alert unknown ca/ })
})

test('tls: setSecureContext without the option tls, or without a port, is refused', { skip }, () => {
  const { cert, key } = server
  for (const options of [{ port: 0 }, { tls: { cert, key } }, {}]) {
    assert.throws(() => start(options).setSecureContext({ cert, key }), { name: 'Error', code: 'ERR_INVALID_STATE' })
  }
})

test('tls: scrapes are answered during a flood of unfinished handshakes', { skip, timeout: 120_000 }, async (t) => {
  const { port, ask } = serve()
  const hello = Buffer.from('1603010200010001fc0303', 'hex') // the first bytes of a ClientHello, which never ends
  const flood = []
  const kinds = [(socket) => socket, (socket) => socket.write(hello), (socket) => socket.write('x')]
  let ended = 0
  t.after(() => { for (const socket of flood) socket.destroy() })
  for (let i = 0; i < 2000; i++) {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.on('close', () => { ended++ }).resume()
    socket.on('connect', () => kinds[i % 3](socket))
    flood.push(socket)
    if (i % 100 === 99) await once(socket, 'connect', { signal: AbortSignal.timeout(LIMIT_MS) })
  }
  const times = []
  for (let i = 0; i < 50; i++) {
    const begin = performance.now()
    assert.equal((await ask()).status, 200)
    times.push(performance.now() - begin)
  }
  times.sort((a, b) => a - b)
  t.diagnostic(`a scrape and its handshake during the flood, ms: median ${times[25].toFixed(1)}, slowest ${times[49].toFixed(1)}`)
  await until(() => ended >= 1500, 'unfinished handshakes are ended')
})

test('tls: an unfinished handshake does not delay stop()', { skip }, async () => {
  const { traceFunction, port } = serve()
  const socket = net.connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  await connect(port).then((complete) => complete.destroy())
  await traceFunction.stop()
  socket.resume()
  await closed
})

const anything = 'secret-4'
const refused = {
  'a string': [() => anything, 'tls', 'ERR_INVALID_ARG_TYPE'],
  'an array': [() => [server.cert, server.key], 'tls', 'ERR_INVALID_ARG_TYPE'],
  'an empty object': [() => ({}), 'tls.cert', 'ERR_INVALID_ARG_TYPE'],
  'no key': [() => ({ cert: server.cert }), 'tls.key', 'ERR_INVALID_ARG_TYPE'],
  'no cert': [() => ({ key: server.key }), 'tls.cert', 'ERR_INVALID_ARG_TYPE'],
  'a key that is a number': [() => ({ cert: server.cert, key: 4711 }), 'tls.key', 'ERR_INVALID_ARG_TYPE'],
  'a key that is an array': [() => ({ cert: server.cert, key: [server.key] }), 'tls.key', 'ERR_INVALID_ARG_TYPE'],
  'a ca that is true': [() => ({ ...server, ca: true }), 'tls.ca', 'ERR_INVALID_ARG_TYPE'],
  'an unknown minVersion': [() => ({ ...server, minVersion: 'TLSv1.1' }), 'tls.minVersion', 'ERR_INVALID_ARG_VALUE'],
  'an unreadable cert': [() => ({ ...server, cert: 'nonsense' }), 'tls.cert', 'ERR_INVALID_ARG_VALUE'],
  'an empty cert': [() => ({ ...server, cert: '' }), 'tls.cert', 'ERR_INVALID_ARG_VALUE'],
  'an unreadable key': [() => ({ ...server, key: anything }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'an unreadable key in a Buffer': [() => ({ ...server, key: Buffer.from(anything) }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'half a key': [() => ({ ...server, key: server.key.slice(0, 150) }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'an encrypted key': [() => ({ ...server, key: certificates.encrypted(server) }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'the key of another certificate': [() => ({ ...server, key: other.key }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'the key of another certificate of the same kind': [() => ({ ...server, key: client.key }), 'tls.key', 'ERR_INVALID_ARG_VALUE'],
  'a key as cert and a cert as key': [() => ({ cert: server.key, key: server.cert }), 'tls.cert', 'ERR_INVALID_ARG_VALUE'],
  'a path': [() => ({ ...server, cert: '/etc/cert.pem' }), 'tls.cert', 'ERR_INVALID_ARG_VALUE'],
  'a cert of version 1': [() => certificates.version1(), 'tls.cert', 'ERR_INVALID_ARG_VALUE'],
  'an unreadable ca': [() => ({ ...server, ca: 'nonsense' }), 'tls.ca', 'ERR_INVALID_ARG_VALUE']
}

for (const [name, [make, named, code]] of Object.entries(refused)) {
  test(`tls: ${name} is refused at the call, and no key is in the error`, { skip }, () => {
    const options = { tls: make() }
    for (const port of [0, undefined]) {
      assert.throws(() => HypertracePrometheus({ port, ...options }), (error) => {
        assert.ok(error instanceof TypeError)
        assert.equal(error.code, code)
        assert.ok(error.message.includes(`"${named}"`), error.message)
        assert.match(error.message, / must be .+ Received /)
        const printed = inspect(error, { showHidden: true, depth: null }).replace(/^ +at .*$/gm, '')
        assert.doesNotMatch(printed, /secret-|4711|BEGIN|MI[A-Z]/)
        return true
      })
    }
  })
}

test('tls: no key is printed, and a server that requires client certificates gives no warning', { skip }, async (t) => {
  const { cert, key } = server
  const options = { tls: { cert, key, ca: clients.cert }, auth: { username: 'u', password: anything } }
  const list = [options, { host: '0.0.0.0', ...options, auth: undefined }]
  const { code, stderr } = await startProgram(t, OPENER, [JSON.stringify(list)]).ended()
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
})

test('tls: a worker thread that joins has the same certificate or none', { skip }, async () => {
  const { traceFunction, port, ask } = serve()
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const HypertracePrometheus = require(${JSON.stringify(ROOT)})
    try {
      HypertracePrometheus({ host: '127.0.0.1', collectDefaults: false, ...workerData }).stop()
      parentPort.postMessage('joined')
    } catch (error) {
      parentPort.postMessage(error.code + ' ' + require('node:util').inspect(error))
    }`
  const join = async (tls) => {
    const worker = new Worker(script, { eval: true, workerData: { port, tls } })
    const [[result]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
    return result
  }
  const pair = ({ cert, key }) => ({ cert, key })
  assert.equal(await join(undefined), 'joined')
  assert.equal(await join(pair(server)), 'joined')
  const result = await join(pair(other))
  assert.match(result, /^ERR_INVALID_ARG_VALUE .*"tls"/)
  assert.doesNotMatch(result, /BEGIN/)
  traceFunction.setSecureContext(pair(other))
  assert.equal(await join(pair(other)), 'joined', 'with the newest certificate')
  assert.equal(await join(pair(server)), 'joined', 'with the first certificate')
  assert.equal((await ask()).status, 200)
})
