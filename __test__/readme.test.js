'use strict'

// What README.md says is run, compiled and compared with the code.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const { readOptions } = require('../lib/options')
const HypertracePrometheus = require('..')
const { createCertificates } = require('./support/certificates')
const readme = require('./support/readme')
const { lacks } = require('./support/tools')

const { ROOT } = readme
const PROBE = path.join(__dirname, 'support', 'readme-probe.js')
const TYPES = fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8')
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

test('readme: every program is marked, so that it is tested', () => {
  const programs = readme.blocks().filter(({ language }) => ['js', 'ts'].includes(language))
  assert.ok(programs.length >= 6, `${programs.length} programs`)
  for (const { mark, code } of programs) assert.match(mark ?? '', /^(file|run|compile) /, code)
})

test('readme: app.js shows the page that is printed', async t => {
  const { folder, type, page } = await run(t, 'app.js')
  const lines = readme.marked('page of app.js')
    .replace('/home/me/some-module.js', path.join(folder, 'some-module.js'))
  assert.equal(page.slice(0, lines.length), lines)
  assert.equal(type, CONTENT_TYPE)
})

test('readme: app.mjs traces as an ES module', async t => {
  const { page } = await run(t, 'app.mjs')
  assert.match(page, /^trace_counter\{object_classname="SomeModule",caller_functionname="get",.*\} 1$/m)
})

test('readme: server.js serves the page by itself', async t => {
  const { type, page } = await run(t, 'server.js')
  assert.match(page, /^# HELP trace_counter /)
  assert.equal(type, CONTENT_TYPE)
})

test('readme: register.js shows both kinds of metrics on one page', async t => {
  const { page } = await run(t, 'register.js')
  assert.match(page, /^orders_total 1$/m)
  assert.match(page, /^# TYPE trace_counter counter$/m)
  assert.match(page, /^nodejs_version_info\{/m)
})

test('readme: secure.js serves over TLS, who has the password', { skip: lacks('openssl') }, async t => {
  const certificates = createCertificates()
  t.after(certificates.remove)
  const { cert, key } = certificates.server(certificates.authority('authority'))
  const { type, page } = await run(t, 'secure.js', { 'cert.pem': cert, 'key.pem': key })
  assert.match(page, /^# HELP trace_counter /)
  assert.equal(type, CONTENT_TYPE)
})

test('readme: app.ts compiles', async t => {
  const folder = createProject(t)
  fs.writeFileSync(path.join(folder, 'app.ts'), readme.marked('compile app.ts'))
  const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const { code, output } = await execute(process.execPath, [
    tsc, '--noEmit', '--strict', '--module', 'nodenext', '--types', 'node', 'app.ts'
  ], folder)
  assert.equal(code, 0, output)
})

test('readme: the options are those of index.d.ts, with the defaults that the code has', () => {
  const [, body] = TYPES.match(/interface Options \{\n([^]*?)\n {2}\}\n/)
  const described = [...body.matchAll(/@default (.+)\n[^]*?\n {4}(\w+)\?:/g)].map(([, value, name]) => [name, value])
  const names = described.map(([name]) => name)
  assert.equal(names.length, [...body.matchAll(/^ {4}\w+\?:/gm)].length, 'each option tells its default')
  assert.deepEqual(readme.table('Options').map(([name]) => name.replaceAll('`', '')), names)

  const actual = readOptions()
  assert.deepEqual(Object.keys(actual), names)
  const words = { port: 'no server', register: 'none', auth: 'none', tls: 'none' }
  for (const [name, value] of described) {
    const row = readme.table('Options').find(([cell]) => cell === `\`${name}\``)
    assert.equal(row[1], words[name] ?? `\`${value}\``, name)
    if (name === 'port') continue
    assert.equal(JSON.stringify(actual[name]), JSON.stringify(evaluate(value, actual[name])), name)
  }
})

test('readme: every method is told', async () => {
  const traceFunction = HypertracePrometheus()
  const told = readme.table('Methods').map(([cell]) => cell).join(' ')
  const names = Object.keys(traceFunction)
  assert.ok(names.length >= 7)
  for (const name of names) {
    assert.match(told, new RegExp(`\\.${name}\\b`), name)
    assert.match(TYPES, new RegExp(`^ {4}(readonly )?${name}(:| \\()`, 'm'), name)
  }
  await traceFunction.stop()
})

test('readme: every code that an option can throw is told, in index.d.ts too', () => {
  const source = ['errors.js', 'options.js'].map(name => fs.readFileSync(path.join(ROOT, 'lib', name), 'utf8')).join()
  const codes = new Set(source.match(/\bERR_[A-Z_]+/g))
  assert.ok(codes.size >= 4)
  const told = readme.table('Errors').map(([code]) => code)
  for (const code of codes) {
    assert.ok(told.includes(`\`${code}\``), code)
    assert.ok(TYPES.includes(code), code)
  }
})

test('readme: links lead somewhere', () => {
  const anchors = readme.anchors()
  const links = readme.links()
  assert.ok(links.length > 20)
  for (const link of links) {
    if (link.startsWith('#')) assert.ok(anchors.includes(link), link)
    else if (!link.startsWith('https://')) assert.ok(fs.existsSync(path.join(ROOT, link)), link)
  }
})

test('readme: the queries are PromQL', async t => {
  const queries = readme.blocks().filter(({ language }) => language === 'promql').map(({ code }) => code.trim())
  assert.ok(queries.length >= 10, `${queries.length} queries`)
  const rules = queries.map((query, i) => ({ record: `query_${i}`, expr: query }))
  await checkWithPromtool(t, 'rules', JSON.stringify({ groups: [{ name: 'readme', rules }] }))
})

test('readme: the scrape configuration is one', async t => {
  await checkWithPromtool(t, 'config', 'scrape_configs:\n' + readme.marked('scrape config'))
})

test('readme: the secure scrape configuration is one', async t => {
  // Its files are not there.
  const options = ['config', '--syntax-only']
  await checkWithPromtool(t, options, 'scrape_configs:\n' + readme.marked('secure scrape config'))
})

/** A folder in which the README's programs find what they require. */
function createProject (t) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'readme-')))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(path.join(modules, '@types'), { recursive: true })
  fs.symlinkSync(ROOT, path.join(modules, 'hypertrace-prometheus'), 'junction')
  for (const name of ['hypertrace', 'prom-client', '@types/node', 'undici-types']) {
    fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name), 'junction')
  }
  fs.writeFileSync(path.join(folder, 'some-module.js'), readme.marked('file some-module.js'))
  return folder
}

/** Runs a program of the README on a free port, until it ends by itself, and returns its page. */
async function run (t, name, files = {}) {
  const folder = createProject(t)
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, file), text)
  const source = readme.marked(`run ${name}`)
  assert.match(source, /\b4343\b/)
  fs.writeFileSync(path.join(folder, name), source.replace(/\b4343\b/, '0'))
  const { code, output } = await execute(process.execPath, ['-r', PROBE, name], folder)
  assert.equal(code, 0, output)
  return { folder, ...JSON.parse(output) }
}

async function checkWithPromtool (t, what, file) {
  const folder = createProject(t)
  fs.writeFileSync(path.join(folder, 'file.yml'), file)
  const { code, output } = await execute('promtool', ['check', ...[what].flat(), 'file.yml'], folder)
  if (code === 'ENOENT') return t.skip('promtool is not installed: it comes with Prometheus')
  assert.equal(code, 0, output)
}

function execute (command, args, cwd) {
  return new Promise(resolve => {
    execFile(command, args, { cwd, env: { ...process.env, METRICS_PASSWORD: 'a password' }, timeout: 60_000 }, (err, stdout, stderr) => {
      resolve({ code: err ? err.code : 0, output: stdout + stderr })
    })
  })
}

/** A default as index.d.ts writes it. What is an object there may be a list of pairs inside. */
function evaluate (value, actual) {
  if (value === '{}' && Array.isArray(actual)) return []
  return value.startsWith("'") ? value.slice(1, -1) : JSON.parse(value)
}
