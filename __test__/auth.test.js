'use strict'

// Tests access control: credentials, the host names that browsers may use, and the responses to everyone else.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const http = require('node:http')
const { once } = require('node:events')
const path = require('node:path')
const { afterEach, test } = require('node:test')
const { inspect } = require('node:util')
const { Worker } = require('node:worker_threads')

const HypertracePrometheus = require('..')
const { createExporters } = require('./support/exporters')
const { get } = require('./support/http')
const { occupy } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const ROOT = path.join(__dirname, '..')
const OPENER = path.join(__dirname, 'auth', 'open.js')
const { start, stopAll } = createExporters()
afterEach(stopAll)

const PASSWORD = 'correct horse: battery – staple'
const TOKEN = 'mF_9.B5f-4.1JqM~+/='
const BASIC = { username: 'prometheus', password: PASSWORD }

const basic = (username, password) => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
const RIGHT = basic(BASIC.username, PASSWORD)
// Only Linux has all of 127.0.0.0/8.
const ANOTHER = process.platform === 'linux' ? '127.0.0.2' : undefined

/** Starts a server with access control; `ask` sends one GET. */
function serve (options) {
  const { port } = start({ port: 0, host: '127.0.0.1', ...options }).address()
  return { port, ask: (authorization, more) => get({ port, host: '127.0.0.1', headers: { authorization }, ...more }) }
}

test('auth: the right name and password give access to every path', async () => {
  const { ask } = serve({ auth: BASIC })
  for (const path of ['/metrics', '/', '/summary.json', '/history.json', '/live/page.css']) {
    assert.equal((await ask(RIGHT, { path })).status, 200, path)
  }
  assert.equal((await ask(RIGHT, { path: '/nope' })).status, 404)
})

test('auth: without credentials every path and method gets the same 401 with the challenge', async () => {
  const { port } = serve({ auth: BASIC })
  const answers = []
  for (const path of ['/metrics', '/', '/summary.json', '/history.json', '/live/page.css', '/nope', '/metrics?x=1']) {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const { status, headers, body } = await get({ port, path, method, host: '127.0.0.1' })
      assert.equal(status, 401, `${method} ${path}`)
      assert.equal(headers['www-authenticate'], 'Basic realm="hypertrace-prometheus", charset="UTF-8"')
      delete headers.date
      answers.push(JSON.stringify({ headers, body: method === 'HEAD' ? 'Unauthorized\n' : body }))
    }
  }
  assert.equal(new Set(answers).size, 1, answers.join('\n'))
  assert.equal(JSON.parse(answers[0]).body, 'Unauthorized\n')
})

test('auth: the right bearer token gives access, and the challenge says when a token was wrong', async () => {
  const { ask } = serve({ auth: { bearer: TOKEN } })
  assert.equal((await ask(`Bearer ${TOKEN}`)).status, 200)
  const none = await get({ port: serve({ auth: { bearer: TOKEN } }).port, host: '127.0.0.1' })
  assert.equal(none.status, 401)
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="hypertrace-prometheus"')
  const wrong = await ask('Bearer other')
  assert.equal(wrong.status, 401)
  assert.equal(wrong.headers['www-authenticate'], 'Bearer realm="hypertrace-prometheus", error="invalid_token"')
})

// Each of these values is sent to a new server, so that the login throttle does not delay it.
const wrong = [
  ['another password', basic('prometheus', 'nope')],
  ['another name', basic('Prometheus', PASSWORD)],
  ['no password', basic('prometheus', '')],
  ['neither', basic('', '')],
  ['shortened credentials', RIGHT.slice(0, -4)],
  ['extended credentials', RIGHT + 'AAAA'],
  ['the scheme alone', 'Basic'],
  ['no scheme', RIGHT.slice('Basic '.length)],
  ['the other scheme', RIGHT.replace('Basic', 'Bearer')],
  ['invalid base64', 'Basic %%%%'],
  ['a list', `${RIGHT}, ${RIGHT}`],
  ['two lines', [RIGHT, RIGHT]],
  ['12,000 characters', 'Basic ' + 'A'.repeat(12_000)]
]

for (const [name, value] of wrong) {
  test(`auth: ${name} gets a 401`, async () => {
    const { port } = serve({ auth: BASIC })
    // The headers are an array: from an object, the client of Node.js sends only the first of two Authorization lines.
    const lines = [value].flat().flatMap((line) => ['Authorization', line])
    const { status, body } = await get({ port, host: '127.0.0.1', headers: ['Host', 'localhost', ...lines] })
    assert.equal(status, 401)
    assert.equal(body, 'Unauthorized\n')
  })
}

test('auth: enormous credentials are refused, and the right credentials are accepted afterwards', async () => {
  const { ask } = serve({ auth: BASIC })
  for (const length of [15_000, 100_000, 5_000_000]) {
    const { status } = await ask('Basic ' + 'A'.repeat(length)).catch(() => ({ status: 'closed' }))
    assert.ok([401, 431, 'closed'].includes(status), `${status}`)
    assert.equal((await ask(RIGHT)).status, 200)
  }
})

test('auth: responses to wrong credentials are delayed; responses to the right ones are not, from the same address or another', async (t) => {
  const { ask } = serve({ auth: BASIC })
  const times = []
  for (let i = 0; i < 6; i++) {
    const begin = performance.now()
    assert.equal((await ask(basic('prometheus', `guess ${i}`))).status, 401)
    times.push(performance.now() - begin)
  }
  t.diagnostic(`ms per wrong guess: ${times.map(Math.round).join(', ')}`)
  assert.ok(times[5] >= 400, 'the sixth is delayed: a timer never ends early')
  const begin = performance.now()
  const slow = ask(basic('prometheus', 'guess'))
  let answered = false
  slow.then(() => { answered = true })
  assert.equal((await ask(RIGHT)).status, 200)
  assert.equal((await ask(RIGHT, { localAddress: ANOTHER })).status, 200)
  t.diagnostic(`two requests with the right credentials meanwhile: ${(performance.now() - begin).toFixed(1)} ms`)
  assert.equal(answered, false, 'the response to the wrong guess is still delayed')
  assert.equal((await slow).status, 401)
})

test('auth: many simultaneous guesses are not checked; a connection that had access before keeps its access', async () => {
  const { ask } = serve({ auth: BASIC })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  try {
    assert.equal((await ask(RIGHT, { agent })).status, 200)
    for (let i = 0; i < 5; i++) await ask('Basic x')
    const guesses = Array.from({ length: 60 }, () => ask('Basic x'))
    const first = await Promise.race(guesses)
    assert.equal(first.status, 429)
    assert.equal(first.headers['retry-after'], '1')
    assert.equal((await ask(RIGHT, { agent })).status, 200, 'on the connection that had access before')
    if (ANOTHER !== undefined) assert.equal((await ask(RIGHT, { localAddress: ANOTHER })).status, 200, 'from another address')
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    assert.equal(statuses.filter((status) => status === 401).length, 8, 'the number of guesses that were checked')
    assert.equal((await ask(RIGHT)).status, 200, 'after all guesses were answered')
  } finally {
    agent.destroy()
  }
})

test('auth: stop() does not wait for delayed responses', async () => {
  const traceFunction = start({ port: 0, host: '127.0.0.1', auth: BASIC })
  const { port } = traceFunction.address()
  const ask = () => get({ port, host: '127.0.0.1', headers: { authorization: 'Basic x' } })
  for (let i = 0; i < 6; i++) await ask()
  const waiting = ask().catch(() => 'cut')
  // The server has answered this later request. So it has also read the wrong credentials, and delays the response to them.
  assert.equal((await get({ port, host: '127.0.0.1', headers: { authorization: RIGHT } })).status, 200)
  await traceFunction.stop()
  assert.ok(['cut', 401].includes((await waiting).status ?? 'cut'), 'the response is complete, or the connection is cut')
})

test('auth: the client of Python\'s standard library gets access with the right password only', { skip: lacks('python3') }, () => {
  const { port } = serve({ auth: { username: 'prometheus', password: 'pass word' } })
  const script = `
import sys, urllib.error, urllib.request as r
def ask(password):
    m = r.HTTPPasswordMgrWithDefaultRealm()
    m.add_password(None, sys.argv[1], 'prometheus', password)
    try:
        return r.build_opener(r.ProxyHandler({}), r.HTTPBasicAuthHandler(m)).open(sys.argv[1], timeout=10).status
    except urllib.error.HTTPError as e:
        return e.code
print(ask('pass word'), ask('nope'))
`
  const { stdout, stderr } = spawnSync('python3', ['-c', script, `http://127.0.0.1:${port}/metrics`], { encoding: 'utf8' })
  assert.equal(stdout.trim(), '200 401', stderr)
})

test('auth: a real Prometheus gets access by basic_auth and by authorization', { skip: lacks('prometheus'), timeout: 60_000 }, async (t) => {
  const one = serve({ auth: BASIC })
  const two = serve({ auth: { bearer: TOKEN } })
  const prometheus = await startPrometheus(t, {
    basic: { target: `127.0.0.1:${one.port}`, more: { basic_auth: { username: BASIC.username, password: PASSWORD } } },
    bearer: { target: `127.0.0.1:${two.port}`, more: { authorization: { credentials: TOKEN } } },
    wrong: { target: `127.0.0.1:${two.port}`, more: { authorization: { credentials: 'nope' } } }
  })
  await prometheus.up('basic')
  await prometheus.up('bearer')
  await until(async () => (await prometheus.target('wrong')).health === 'down', 'the target with the wrong token is down')
  assert.match((await prometheus.target('wrong')).lastError, /401 Unauthorized/)
})

const refused = [
  // auth, the option that is named, code, the secret that must not be in the error
  ['user:secret-1', 'auth', 'ERR_INVALID_ARG_TYPE', /secret/],
  [['user', 'secret-1'], 'auth', 'ERR_INVALID_ARG_TYPE', /secret/],
  [true, 'auth', 'ERR_INVALID_ARG_TYPE', /true/],
  [{}, 'auth', 'ERR_INVALID_ARG_TYPE', /^$/],
  [{ token: 'secret-1' }, 'auth', 'ERR_INVALID_ARG_TYPE', /secret/],
  [{ bearer: undefined }, 'auth.bearer', 'ERR_INVALID_ARG_TYPE', /^$/],
  [{ username: 'u' }, 'auth.password', 'ERR_INVALID_ARG_TYPE', /^$/],
  [{ password: 'secret-1' }, 'auth.username', 'ERR_INVALID_ARG_TYPE', /secret/],
  [{ username: 'u', password: '' }, 'auth.password', 'ERR_INVALID_ARG_VALUE', /^$/],
  [{ username: '', password: 'secret-1' }, 'auth.username', 'ERR_INVALID_ARG_VALUE', /secret/],
  [{ username: 'u', password: 4711 }, 'auth.password', 'ERR_INVALID_ARG_TYPE', /4711/],
  [{ username: 'u', password: 4711n }, 'auth.password', 'ERR_INVALID_ARG_TYPE', /4711/],
  [{ username: 'u', password: Symbol('secret-1') }, 'auth.password', 'ERR_INVALID_ARG_TYPE', /secret/],
  [{ username: 'u', password: Buffer.from('secret-1') }, 'auth.password', 'ERR_INVALID_ARG_TYPE', /secret|73 65/],
  [{ username: 'u:v', password: 'secret-1' }, 'auth.username', 'ERR_INVALID_ARG_VALUE', /secret|u:v/],
  [{ username: 'u', password: 'secret-1\n' }, 'auth.password', 'ERR_INVALID_ARG_VALUE', /secret/],
  [{ bearer: '' }, 'auth.bearer', 'ERR_INVALID_ARG_VALUE', /^$/],
  [{ bearer: 'secret-1 2' }, 'auth.bearer', 'ERR_INVALID_ARG_VALUE', /secret/],
  [{ bearer: 'sécret-1' }, 'auth.bearer', 'ERR_INVALID_ARG_VALUE', /sécret/],
  [{ bearer: 'secret-1', username: 'u' }, 'auth', 'ERR_INVALID_ARG_VALUE', /secret/]
]

for (const [auth, named, code, secret] of refused) {
  test(`auth: ${inspect(auth)} is rejected at the call, and its value is not in the error`, () => {
    assert.throws(() => HypertracePrometheus({ port: 0, auth }), (error) => {
      assert.ok(error instanceof TypeError)
      assert.equal(error.code, code)
      assert.ok(error.message.includes(`"${named}"`), error.message)
      assert.match(error.message, / must be .+ Received /)
      assert.doesNotMatch(inspect(error, { showHidden: true, depth: null }).replace(/^ +at .*$/gm, ''), secret)
      return true
    })
  })
}

const NEVER = [
  ['*'], ['*.app.example'], ['größe.de'], ['app.example:80'], ['cafe:80'], ['1:2:3'], ['::1::2'], ['http://app.example'], ['a b'], ['[app]'], ['a..b'], ['']
]
for (const value of ['app.example', { 0: 'a', length: 1 }, [1], ...NEVER]) {
  test(`allowedHosts: ${inspect(value)} is refused at the call`, () => {
    assert.throws(() => HypertracePrometheus({ port: 0, allowedHosts: value }), (error) => {
      assert.ok(error instanceof TypeError)
      assert.match(error.code, /^ERR_INVALID_ARG_(TYPE|VALUE)$/)
      return error.message.includes('"allowedHosts"')
    })
  })
}

test('allowedHosts: a wildcard and a name that is not ASCII have messages of their own', () => {
  for (const [host, expected] of [['*.app.example', /without wildcards/], ['größe.de', /ASCII form \(xn--/]]) {
    assert.throws(() => HypertracePrometheus({ port: 0, allowedHosts: [host] }), { message: expected })
  }
})

test('auth: the error names the line break at the end of a secret that was read from a file', () => {
  for (const auth of [{ username: 'u', password: 'secret-1\n' }, { username: 'u\r\n', password: 'p' }, { bearer: 'secret-1\n' }]) {
    assert.throws(() => HypertracePrometheus({ port: 0, auth }), { message: /without the line break at its end, which trim\(\) removes/ })
  }
})

test('headers: every response forbids sniffing, storing and embedding', async () => {
  const { port, ask } = serve({ auth: BASIC })
  const browser = { host: 'evil.example', 'sec-fetch-site': 'same-origin' }
  const answers = {
    200: await ask(RIGHT),
    401: await get({ port, host: '127.0.0.1' }),
    403: await get({ port, host: '127.0.0.1', headers: browser }),
    404: await ask(RIGHT, { path: '/nope' }),
    405: await ask(RIGHT, { method: 'PUT' })
  }
  for (const [expected, { status, headers }] of Object.entries(answers)) {
    assert.equal(status, Number(expected))
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
  }
})

test('a page that other machines can read without auth warns once for each port, with a remedy', async (t) => {
  const occupied = [await occupy(0, '127.0.0.1'), await occupy(0, '127.0.0.1')]
  const ports = occupied.map(({ port }) => port)
  await Promise.all(occupied.map(({ free }) => free()))
  const options = [...ports, ...ports].map((port) => ({ host: '0.0.0.0', port }))
  const { code, stderr } = await startProgram(t, OPENER, [JSON.stringify(options)]).ended()
  assert.equal(code, 0, stderr)
  const warnings = [...stderr.matchAll(/\[HYPERTRACE_OPEN_PAGE\].* port (\d+) /g)].map(([, port]) => Number(port))
  assert.deepEqual(warnings, ports)
  assert.match(stderr, /auth/)
})

test('a page on a loopback address or with auth gives no warning, and no secret is printed', async (t) => {
  const secret = 'secret-of-this-test'
  const list = [{}, { host: '127.0.0.1' }, { host: '127.0.0.2' }, { host: '0.0.0.0', auth: { username: 'u', password: secret } }, { host: '0.0.0.0', auth: { bearer: secret } }]
  const { code, stderr } = await startProgram(t, OPENER, [JSON.stringify(list)]).ended()
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
})

test('auth: a worker thread that joins has the same auth or none', async () => {
  const { port, ask } = serve({ auth: BASIC })
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const HypertracePrometheus = require(${JSON.stringify(ROOT)})
    let result
    try {
      const traceFunction = HypertracePrometheus({ host: '127.0.0.1', collectDefaults: false, ...workerData })
      result = 'joined'
      traceFunction.stop()
    } catch (error) {
      result = error.code + ' ' + require('node:util').inspect(error)
    }
    parentPort.postMessage(result)`
  const join = async (options) => {
    const worker = new Worker(script, { eval: true, workerData: { port, ...options } })
    const [[result]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
    return result
  }
  assert.equal(await join({}), 'joined')
  assert.equal(await join({ auth: BASIC }), 'joined')
  for (const auth of [{ username: 'prometheus', password: 'secret-2' }, { bearer: 'secret-2' }]) {
    const result = await join({ auth })
    assert.match(result, /^ERR_INVALID_ARG_VALUE .*"auth"/)
    assert.doesNotMatch(result, /secret-2|staple/)
  }
  assert.match(await join({ allowedHosts: ['a.example'] }), /^ERR_INVALID_ARG_VALUE .*"allowedHosts"/)
  assert.equal((await ask(RIGHT)).status, 200)
})
