'use strict'

// Tests `npx hypertrace-prometheus top` in a real pseudo-terminal, and as a snapshot, with servers of traced processes.

const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { describe, test } = require('node:test')

const HypertracePrometheus = require('..')
const { createCertificates } = require('./support/certificates')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { lacks } = require('./support/tools')
const { ALLOWED, TOP, startTop } = require('./top/terminal')
const { until } = require('./support/until')

const ROOT = path.join(__dirname, '..')
const APP = path.join(__dirname, 'history', 'app.js')
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
const SIGNALS = os.constants.signals
const LIMIT = { timeout: 120_000 }
const noTerminal = process.platform === 'win32' ? 'Windows has no pseudo-terminal for python3' : lacks('python3')
const noTls = noTerminal || lacks('openssl')

/** Starts an application in a process of its own, which can be blocked. */
async function startApp (t, options = {}) {
  const app = startProgram(t, APP, ['main', JSON.stringify(options)])
  const port = (await app.line(/^port (\d+)$/))[1]
  return { app, port }
}

/** Serves the calls of this process. */
function serve (t, options = {}) {
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1', ...options })
  t.after(() => traceFunction.stop())
  const call = (className, functionName, times = 1) => {
    for (let i = 0; i < times; i++) traceFunction(payload({ object: { className }, caller: { functionName } }))
  }
  return { traceFunction, call, port: String(traceFunction.address().port) }
}

/** Runs `top` without a terminal. */
function snapshot (args, { env = {}, program = TOP } = {}) {
  const [command, ...rest] = [...program, ...args]
  return new Promise((resolve) => {
    execFile(command, rest, { env: { ...process.env, LC_ALL: 'C.UTF-8', ...env }, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    })
  })
}

/** Checks that a terminal got nothing but text and the sequences of `top`, and that it was restored. */
function checkTerminal (top, end, code) {
  assert.deepEqual(end, { code, signal: null, restored: true })
  const raw = top.raw()
  const begin = raw.indexOf(LEAVE)
  assert.notEqual(begin, -1)
  assert.ok(raw.lastIndexOf('\x1b[?1049h') < begin)
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(raw.slice(0, begin).replace(ALLOWED, ''), /[\x00-\x1f\x7f-\x9f]/)
}

describe('top: a terminal', { ...LIMIT, skip: noTerminal }, () => {
  test('the screen names the function that blocks the event loop, during the stall and after it', LIMIT, async (t) => {
    const { app, port } = await startApp(t, { defaultLabels: { app: 'chat' } })
    const top = startTop(t, [`http://127.0.0.1:${port}`])
    const first = await top.shows(/\d\/s \(mean of \d+(\.\d)? s\)[^]*Steady\.tick/)
    assert.match(first, new RegExp(`app\\.js · pid ${app.child.pid} · Node\\.js ${process.version} · hypertrace-prometheus ${require('../package.json').version} · 1 thread`))
    assert.match(first, /app=chat/)
    assert.match(first, /Stalls +none in the last 15 min/)

    app.say('crunch 3000')
    await top.shows(/STALL NOW: Blocked for [\d.]+ (ms|s) since \d\d:\d\d:\d\d: Cruncher\.crunch was called [\d,]+ times/)
    await app.line(/^end/)
    await top.shows(/Stalls +1 in the last 15 min:\n +Blocked for [23][\d.]* s at \d\d:\d\d:\d\d: Cruncher\.crunch was called [\d,]+ times/)
    top.type('q')
    checkTerminal(top, await top.ended(), 0)
  })

  test('keys sort, search in the server, group, pause, scroll and show help', LIMIT, async (t) => {
    const { port, call } = serve(t)
    for (let i = 0; i < 60; i++) call('Rare', `f${i}`)
    call('Common', 'get', 500)
    const top = startTop(t, [port, '--sort', 'total'], { rows: 24 })
    await top.shows(/Functions by calls · 1 to \d+ of 61\n.*\n.* 500 .*Common\.get/)

    top.type('/f59')
    await top.shows(/search "f59" · 1 to 1 of 1\n.*\n.* 1 .*Rare\.f59[^]*Search: f59_/)
    top.type('\r')
    await top.shows(/q quit/)
    top.type('\x1b')
    await top.shows(/1 to \d+ of 61/)

    top.type('\x1b[6~')
    await top.shows(/ by calls · (?!1 )\d+ to \d+ of 61/)
    top.type('\x1b[H')
    await top.shows(/ by calls · 1 to/)

    top.type('g')
    await top.shows(/Call sites by calls/)
    top.type('3')
    await top.shows(/Classes by calls · 1 to 2 of 2/)
    top.type('5')
    await top.shows(/Objects by calls/)
    top.type('1s')
    await top.shows(/Functions by calls\/s/)
    top.type('w')
    await top.shows(/mean of (\d|[12]\d|30)(\.\d)? s/)

    top.type('p')
    await top.shows(/PAUSED at/)
    call('Late', 'call', 1000)
    top.type('?')
    await top.shows(/Any key ends the help/)
    top.type('x')
    assert.doesNotMatch(await top.shows(/Functions by/), /Late/)
    top.type('p')
    await top.shows(/Late\.call/)

    top.resize(50, 10)
    const narrow = await top.shows(/^top · .*\n[^]*class\.function/)
    assert.ok(narrow.split('\n').length <= 10 && narrow.split('\n').every((line) => line.length <= 50), narrow)
    top.resize(3, 2)
    await until(() => top.screen().length <= 7, 'a tiny screen')
    top.resize(140, 40)
    await top.shows(/last 60 s/)
    top.type('q')
    checkTerminal(top, await top.ended(), 0)
  })

  test('Ctrl-C, signals and the end of the terminal end the program, and the terminal is restored', LIMIT, async (t) => {
    const { port } = serve(t)
    const ends = [
      [(top) => top.type('\x03'), 0],
      [(top) => top.signal(SIGNALS.SIGTERM), 128 + SIGNALS.SIGTERM],
      [(top) => top.signal(SIGNALS.SIGINT), 128 + SIGNALS.SIGINT]
    ]
    for (const [end, code] of ends) {
      const top = startTop(t, [port])
      await top.shows(/Functions by/)
      end(top)
      checkTerminal(top, await top.ended(), code)
    }
    const byHangUp = { code: null, signal: SIGNALS.SIGHUP }
    const signalled = startTop(t, [port])
    await signalled.shows(/Functions by/)
    signalled.signal(SIGNALS.SIGHUP)
    assert.deepEqual(await signalled.ended(), { ...byHangUp, restored: true })
    assert.ok(signalled.raw().endsWith(LEAVE))

    const closed = startTop(t, [port])
    await closed.shows(/Functions by/)
    closed.close()
    assert.deepEqual(await closed.ended(), { ...byHangUp, restored: null })
  })

  test('Ctrl-Z gives the terminal back to the shell, and fg continues', LIMIT, async (t) => {
    const { port } = serve(t)
    const top = startTop(t, ['-i'], { command: ['sh'], env: { ENV: '' } })
    const shows = (pattern) => until(() => pattern.test(top.raw()), `${pattern}`)
    top.type("PS1='sh''ell> '\r")
    await shows(/shell> $/)
    top.type([...TOP, port].map((word) => `'${word}'`).join(' ') + '\r')
    await top.shows(/Functions by/)
    top.type('\x1a')
    await shows(/\x1b\[\?1049l[^]*shell> $/) // eslint-disable-line no-control-regex
    top.type('fg\r')
    await shows(/\x1b\[\?1049l[^]*\x1b\[\?1049h[^]*Functions by/) // eslint-disable-line no-control-regex
    top.type('q')
    await shows(/(\x1b\[\?1049l[^]*){2}shell> $/) // eslint-disable-line no-control-regex
    top.type('exit\r')
    assert.equal((await top.ended()).code, 0)
  })

  test('the program waits for a server, says when the server is gone, and continues with the next one', LIMIT, async (t) => {
    const port = await freePort()
    const top = startTop(t, [String(port)])
    await top.shows(/NO ANSWER since \d\d:\d\d:\d\d\. Trying again\.\nNothing listens at http:\/\/localhost:\d+\/\. Start the application/)
    const first = serve(t, { port })
    first.call('First', 'run')
    assert.doesNotMatch(await top.shows(/First\.run/), /NO ANSWER/)
    await first.traceFunction.stop()
    assert.match(await top.shows(/NO ANSWER since .*The figures are those of \d\d:\d\d:\d\d/), /First\.run/)
    serve(t, { port }).call('Second', 'run')
    assert.doesNotMatch(await top.shows(/Second\.run/), /First|NO ANSWER/)
    top.type('q')
    checkTerminal(top, await top.ended(), 0)
  })

  test('with `history: 0` the program says that nothing is recorded, and computes the rates', LIMIT, async (t) => {
    const { port, call } = serve(t, { history: 0 })
    call('Store', 'get', 7)
    const timer = setInterval(() => call('Store', 'get'), 5)
    t.after(() => clearInterval(timer))
    const top = startTop(t, [port])
    await top.shows(/Calls +[1-9][\d.]*\/s \(mean of [\d.]+ s\)[^]*Nothing is recorded[^]*`history: 0`[^]*[1-9][\d.]* .*Store\.get/)
    top.type('q')
    checkTerminal(top, await top.ended(), 0)
  })

  test('names of any content do not reach the terminal as control characters', LIMIT, async (t) => {
    const names = ['\x1b[2J\x1b]0;title\x07', 'line\nfeed\r', '\u202eright', 'שלום', '漢字'.repeat(80), '🐙'.repeat(90), 'e' + '\u0301'.repeat(50), '\x9b31m', '\u2066x']
    const { port, call } = serve(t, { defaultLabels: { evil: '\x1b[31mred\u202e' } })
    for (const name of names) {
      call(name, 'f', 3)
      call('Plain', name)
    }
    const top = startTop(t, [port, '--sort', 'total'], { rows: 40 })
    const screen = await top.shows(/of 18\n/)
    assert.match(screen, /\\u\{1b\}\[2J\\u\{1b\}\]0;title\\u\{7\}\.f/)
    assert.match(screen, /line\\nfeed\\r\.f/)
    assert.match(screen, /\\u\{202e\}right\.f/)
    assert.match(screen, /evil=\\u\{1b\}\[31mred\\u\{202e\}/)
    assert.doesNotMatch(top.raw(), /[\u0590-\u05ff\u202a-\u202e\u2066-\u2069]|\u0301{3}/)
    top.type('/\x1b[31m\u202e')
    await top.shows(/Search: \\u\{202e\}_/)
    top.type('\r')
    await top.shows(/search "\\u\{202e\}"[^]*q quit/)
    top.type('q')
    checkTerminal(top, await top.ended(), 0)
  })

  test('NO_COLOR and --no-color switch off colours and styles', LIMIT, async (t) => {
    const { port } = serve(t)
    for (const [args, env] of [[[port], { NO_COLOR: '1' }], [[port, '--no-color'], {}]]) {
      const top = startTop(t, args, { env })
      await top.shows(/Functions by/)
      top.type('q')
      checkTerminal(top, await top.ended(), 0)
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(top.raw().replace(LEAVE, ''), /\x1b\[[\d;]*m/)
    }
    const colored = startTop(t, [port])
    await colored.shows(/Functions by/)
    assert.ok(colored.raw().includes('\x1b[1m'))
  })

  test('the program works over TLS with a client certificate and a password, and never shows the password', { ...LIMIT, skip: noTls }, async (t) => {
    const certificates = createCertificates()
    t.after(certificates.remove)
    const authority = certificates.authority('authority')
    const { cert, key } = certificates.server(authority)
    const client = certificates.client(authority)
    const { port, call } = serve(t, { host: 'localhost', auth: { username: 'reader', password: 'pass:word-1' }, tls: { cert, key, ca: authority.cert } })
    call('Secret', 'read')
    const files = ['--ca', authority.files.cert, '--cert', client.files.cert, '--key', client.files.key]
    const ways = [
      [[`https://localhost:${port}`, ...files], { HYPERTRACE_TOP_USER: 'reader:pass:word-1' }],
      [[`localhost:${port}`, ...files, '--user', 'reader:pass:word-1'], {}],
      [[`https://reader:pass%3Aword-1@localhost:${port}/metrics`, ...files.slice(2), '--insecure'], {}]
    ]
    for (const [args, env] of ways) {
      const top = startTop(t, args, { env })
      const screen = await top.shows(/Secret\.read/)
      assert.equal(/certificate not verified/.test(screen), args.includes('--insecure'))
      if (process.platform === 'linux') {
        const lists = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
          try {
            return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          } catch {
            return '' // the process has ended
          }
        })
        // Only the command line of in_terminal.py contains the arguments of `top`.
        assert.deepEqual(lists.filter((text) => /pass(:|%3A)word-1/.test(text) && !text.includes('in_terminal.py')), [])
      }
      top.type('q')
      checkTerminal(top, await top.ended(), 0)
      assert.doesNotMatch(top.raw(), /word-1/)
    }
  })
})

describe('top: faults that the user has to correct', LIMIT, () => {
  test('each ends the program with the exit code 1 and a message that says what to do', { ...LIMIT, skip: noTls }, async (t) => {
    const certificates = createCertificates()
    t.after(certificates.remove)
    const authority = certificates.authority('authority')
    const { cert, key } = certificates.server(authority)
    const plain = serve(t)
    const basic = serve(t, { auth: { username: 'reader', password: 'right' } })
    const bearer = serve(t, { auth: { bearer: 'right' } })
    const secure = serve(t, { tls: { cert, key } })
    const mutual = serve(t, { tls: { cert, key, ca: authority.cert } })
    const other = require('node:http').createServer((request, response) => {
      if (request.url?.startsWith('/moved')) response.writeHead(302, { location: 'http://elsewhere/' })
      else if (request.url?.startsWith('/none')) response.writeHead(404)
      response.end('<html>')
    }).listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.after(() => other.close())
    const { port } = /** @type {import('node:net').AddressInfo} */ (other.address())
    const ca = ['--ca', authority.files.cert]

    for (const [args, message, env] of [
      [[basic.port], /asks for a user and a password: set HYPERTRACE_TOP_USER=<name:password>, or give --user <name:password>/],
      [[basic.port], /rejected the credentials/, { HYPERTRACE_TOP_USER: 'reader:wrong-7' }],
      [[bearer.port], /asks for a token: set HYPERTRACE_TOP_BEARER=<token>, or give --bearer <token>/],
      [[bearer.port, '--bearer', 'wrong-7'], /rejected the credentials/],
      [[`https://127.0.0.1:${secure.port}`], /is not trusted\. Give the certificate of its authority with --ca <file>; --insecure skips the check/],
      [[`http://127.0.0.1:${secure.port}`], /speaks TLS\. Use https:/],
      [[`https://127.0.0.1:${plain.port}`], /does not speak TLS\. Use http:/],
      [[`https://127.0.0.1:${mutual.port}`, ...ca], /asks for a client certificate\. Give a certificate and its key with --cert <file> and --key <file>/],
      [[`http://127.0.0.1:${port}`], /is not a server of hypertrace-prometheus/],
      [[`http://127.0.0.1:${port}/none`], /There is no \/summary\.json at/],
      [[`http://127.0.0.1:${port}/moved`], /redirects to another url.*http:\/\/elsewhere\//],
      [['http://name.invalid:4343'], /The host name name\.invalid (does not exist|cannot be looked up now)/],
      [[String(await freePort())], /Nothing listens at http:\/\/localhost:\d+\/\. Start the application/],
      [[plain.port, '--by', 'wrong'], /refused the request: "by" must be .* not "wrong"/]
    ]) {
      const { code, stdout, stderr } = await snapshot(args, { env })
      assert.deepEqual([code, stdout], [1, ''], args.join(' '))
      assert.match(stderr, message, args.join(' '))
      assert.doesNotMatch(stderr, /wrong-7|\n./)
    }
  })

  test('in a terminal, the terminal is restored and the message is shown after that', { ...LIMIT, skip: noTerminal }, async (t) => {
    const { port } = serve(t, { auth: { bearer: 'right' } })
    const top = startTop(t, [port], { env: { HYPERTRACE_TOP_BEARER: 'wrong' } })
    checkTerminal(top, await top.ended(), 1)
    assert.match(top.raw().slice(top.raw().indexOf(LEAVE)), /rejected the credentials/)
  })
})

describe('top: a snapshot', LIMIT, () => {
  test('without a terminal, with --once and on a dumb terminal the program prints plain text and ends', LIMIT, async (t) => {
    const { app, port } = await startApp(t)
    app.say('crunch 1000')
    await app.line(/^end/)
    const { code, stdout, stderr } = await until(async () => {
      const result = await snapshot([port, '--sort', 'total', '--rows', '1'])
      return /Stalls +1 in/.test(result.stdout) && result
    }, 'the end of the stall')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^hypertrace-prometheus top · http:\/\/localhost:\d+\/ [^]*Blocked for .*: Cruncher\.crunch was called [\d,]+ times\n\nFunctions by calls · 1 to 1 of 2\n.*\n.*Cruncher\.crunch\n$/)
    assert.doesNotMatch(stdout, /[^\P{Cc}\n]/u)

    const ascii = await snapshot([port, '--search', 'tick'], { env: { LC_ALL: 'C' } })
    assert.match(ascii.stdout, /search "tick" - 1 to 1 of 1[^]*Steady\.tick/)
    assert.doesNotMatch(ascii.stdout, /[^\x20-\x7e\n]/)

    if (noTerminal !== false) return
    for (const [args, env] of [[[port, '--once'], {}], [[port], { TERM: 'dumb' }]]) {
      const top = startTop(t, args, { env })
      assert.equal((await top.ended()).code, 0)
      assert.match(top.raw(), /Steady\.tick/)
      assert.doesNotMatch(top.raw(), /\x1b/) // eslint-disable-line no-control-regex
    }
  })

  test('the program that reads the output may end early', { ...LIMIT, skip: process.platform === 'win32' && 'no sh' }, async (t) => {
    const { port } = serve(t)
    const child = spawn('sh', ['-c', '"$@" | true; echo done >&2', 'sh', ...TOP, port], { stdio: ['ignore', 'ignore', 'pipe'] })
    const chunks = []
    child.stderr.on('data', (chunk) => chunks.push(chunk))
    await once(child, 'close')
    assert.equal(Buffer.concat(chunks).toString(), 'done\n')
  })

  test('the program works in a package without any binary', LIMIT, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'top-'))
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
    for (const name of ['package.json', 'bin', 'lib']) fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
    const { port, call } = serve(t)
    call('Any', 'run')
    const program = [process.execPath, path.join(folder, require('../package.json').bin['hypertrace-prometheus']), 'top']
    const { code, stdout, stderr } = await snapshot([port, '--sort', 'total'], { program })
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /Any\.run/)
  })

  test('the help has each option, and the program names its commands', LIMIT, async () => {
    const { code, stdout } = await snapshot(['--help'])
    assert.equal(code, 0)
    for (const name of ['--once', '--sort', '--user', '--bearer', '--ca', '--insecure', 'HYPERTRACE_TOP_USER', 'NO_COLOR']) assert.ok(stdout.includes(name), name)
    const program = TOP.slice(0, 2)
    const help = await snapshot(['--help'], { program })
    assert.equal(help.code, 0)
    assert.match(help.stdout, /top \[url\][^]*build/)
    const wrong = await snapshot(['tpo'], { program })
    assert.deepEqual([wrong.code, wrong.stderr], [1, help.stdout])
  })
})
