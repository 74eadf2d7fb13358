'use strict'

// Runs and compiles the code of README.md and docs/, and compares their tables with the code.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const HypertracePrometheus = require('..')
const { readOptions } = require('../lib/options')
const { createCertificates } = require('./support/certificates')
const { get } = require('./support/http')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const readme = require('./support/readme')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const { ROOT } = readme
const PROBE = path.join(__dirname, 'support', 'readme-probe.js')
const TYPES = readme.read('index.d.ts')
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** The marks that a test of this file or of another file reads. */
const TESTED = [
  'file some-module.js', 'page of app.js',
  'run app.js', 'run app.mjs', 'run server.js', 'run register.js', 'run secure.js',
  'run threads.js', 'run cluster.js', 'run cluster-register.js',
  'compile app.ts', 'compile secure.ts',
  'scrape config', 'run service.js',
  'manifest of a container', 'manifest of a PodMonitor', 'manifest of annotations',
  'bundle esbuild', 'bundle esbuild-esm', 'bundle esbuild-external', 'bundle ncc', 'bundle ncc-external',
  'bundle bare-pack', 'bundle bare-pack-hosts', 'bundle sea', 'file sea-config.json',
  'file webpack.external.config.js', 'file webpack.addon.config.js', 'file rollup.config.mjs', 'file vite.config.mjs',
  'file next.config.mjs', 'file route.js',
  'run push.js', 'run exporter.js', 'run job.js', 'run job-prom-client.js',
  'run express.js', 'run fastify.js', 'run nest.mjs', 'run instrumented.js',
  'file agent.yml', 'file edge.yml', 'file global.yml', 'manifest of a ServiceMonitor'
]

test('readme: every program of the documents has a mark, and every mark has a test', () => {
  const blocks = readme.blocks()
  for (const { mark, code, language, document } of blocks) {
    if (['js', 'ts'].includes(language)) assert.match(mark ?? '', /^(file|run|compile) /, `${document}: ${code}`)
  }
  const marks = blocks.map(({ mark }) => mark).filter(mark => mark !== undefined)
  assert.deepEqual(marks.sort(), [...TESTED].sort())
})

test('readme: the README is short', () => {
  const lines = readme.read('README.md').split('\n').length
  assert.ok(lines <= 350, `${lines} lines`)
})

test('readme: the page of app.js is the page that the README shows', async t => {
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

test('readme: server.js serves the page with a server of its own', async t => {
  const { type, page } = await run(t, 'server.js')
  assert.match(page, /^# HELP trace_counter /)
  assert.equal(type, CONTENT_TYPE)
})

test('readme: the page of register.js has the metrics of the application and of this package', async t => {
  const { page } = await run(t, 'register.js')
  assert.match(page, /^orders_total 1$/m)
  assert.match(page, /^# TYPE trace_counter counter$/m)
  assert.match(page, /^nodejs_version_info\{/m)
})

test('readme: secure.js serves HTTPS to a client with the password', { skip: lacks('openssl') }, async t => {
  const certificates = createCertificates()
  t.after(certificates.remove)
  const { cert, key } = certificates.server(certificates.authority('authority'))
  const { type, page } = await run(t, 'secure.js', { 'cert.pem': cert, 'key.pem': key })
  assert.match(page, /^# HELP trace_counter /)
  assert.equal(type, CONTENT_TYPE)
})

test('readme: service.js answers the probe of the manifests without credentials, and ends at SIGTERM', { skip: process.platform === 'win32' && 'Windows has no SIGTERM' }, async t => {
  const folder = createProject(t)
  const port = await freePort()
  fs.writeFileSync(path.join(folder, 'service.js'), readme.marked('run service.js').replace(/\b4343\b/, String(port)))
  const program = startProgram(t, path.join(folder, 'service.js'), [], { env: { METRICS_PASSWORD: 'a password' } })
  const [, probe] = /httpGet:\n *path: (.*)\n *port: 4343\n/.exec(readme.marked('manifest of a container')) ?? []
  const answer = await until(() => get({ port, path: probe, headers: { 'user-agent': 'kube-probe/1.34' } }).catch(() => null), 'an answer')
  assert.deepEqual([answer.status, answer.body], [200, 'OK\n'])

  for (const mark of ['manifest of a PodMonitor', 'manifest of annotations']) {
    const [, page] = /\bpath: (.*)$/m.exec(readme.marked(mark)) ?? []
    assert.equal((await get({ port, path: page })).status, 401, mark)
    assert.equal((await get({ port, path: page, auth: 'prometheus:a password' })).status, 200, mark)
  }

  program.child.kill('SIGTERM')
  assert.equal((await program.ended()).code, 0)
})

for (const name of ['app.ts', 'secure.ts']) {
  test(`readme: ${name} compiles`, async t => {
    const folder = createProject(t)
    fs.writeFileSync(path.join(folder, name), readme.marked(`compile ${name}`))
    const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
    const { code, output } = await execute(process.execPath, [
      tsc, '--noEmit', '--strict', '--module', 'nodenext', '--types', 'node', name
    ], folder)
    assert.equal(code, 0, output)
  })
}

test('readme: the table of options has the options of index.d.ts and the defaults of the code', () => {
  const [, body] = TYPES.match(/interface Options \{\n([^]*?)\n {2}\}\n/)
  const described = [...body.matchAll(/@default (.+)\n[^]*?\n {4}(\w+)\?:/g)].map(([, value, name]) => [name, value])
  const names = described.map(([name]) => name)
  assert.equal(names.length, [...body.matchAll(/^ {4}\w+\?:/gm)].length, 'each option has a default in index.d.ts')
  const rows = readme.table('README.md', 'Options')
  assert.deepEqual(rows.map(([name]) => name.replaceAll('`', '')), names)
  for (const name of names) assert.match(body, new RegExp(`^ {4}${name}\\?: .*\\| null$`, 'm'), `${name} may be null`)

  const actual = readOptions()
  assert.deepEqual(Object.keys(actual), names)
  const words = { port: 'no server', register: 'none', auth: 'none', tls: 'none' }
  for (const [name, value] of described) {
    const row = rows.find(([cell]) => cell === `\`${name}\``)
    assert.equal(row[1], words[name] ?? `\`${value}\``, name)
    if (name === 'port') continue
    assert.equal(JSON.stringify(actual[name]), JSON.stringify(evaluate(value, actual[name])), name)
  }
})

test('readme: the ranges of numbers are those of the code, in the README and in index.d.ts', () => {
  for (const name of ['maxSeries', 'seriesIdleTimeout', 'maxLabelValueLength', 'history']) {
    let message = ''
    assert.throws(() => readOptions({ [name]: Infinity }), error => {
      message = error.message
      return error.code === 'ERR_OUT_OF_RANGE'
    })
    const most = Number(/<= (\d+)/.exec(message)[1]).toLocaleString('en-GB')
    const row = readme.table('README.md', 'Options').find(([cell]) => cell === `\`${name}\``)
    assert.ok(row[2].includes(most), `${name}: ${most} in the README`)
    const [comment] = TYPES.split(`    ${name}?:`)[0].split('/**').slice(-1)
    assert.ok(comment.includes(most), `${name}: ${most} in index.d.ts`)
  }
})

test('readme: the table of methods has every method', async () => {
  const traceFunction = HypertracePrometheus()
  const listed = readme.table('README.md', 'Methods').map(([cell]) => cell).join(' ')
  const names = Object.keys(traceFunction)
  assert.ok(names.length >= 7)
  for (const name of names) {
    assert.match(listed, new RegExp(`\\.${name}\\b`), name)
    assert.match(TYPES, new RegExp(`^ {4}(readonly )?${name}(:| \\()`, 'm'), name)
  }
  await traceFunction.stop()
})

test('readme: the table of errors has every code that an option can throw, and index.d.ts has each of these codes', () => {
  const source = ['errors.js', 'options.js'].map(name => readme.read(`lib/${name}`)).join()
  const codes = new Set(source.match(/\bERR_[A-Z_]+/g))
  assert.ok(codes.size >= 4)
  const listed = readme.table('README.md', 'Errors').flatMap(([cell]) => cell.split(', '))
  for (const code of codes) {
    assert.ok(listed.includes(`\`${code}\``), code)
    assert.ok(TYPES.includes(code), code)
  }
})

test('readme: each row of the table of differences is complete, and none occurs twice', () => {
  const rows = readme.table('docs/differences.md', 'Differences from 1.0.0')
  assert.ok(rows.length >= 30, `${rows.length} rows`)
  for (const row of rows) {
    assert.equal(row.length, 4, row.join(' | '))
    for (const cell of row.slice(0, 3)) assert.notEqual(cell, '', row.join(' | '))
  }
  assert.equal(new Set(rows.map(([what]) => what)).size, rows.length)
})

test('readme: every link between documents leads to a file, and to a heading of it', () => {
  let checked = 0
  for (const document of [...readme.GUIDES, ...readme.OTHERS]) {
    for (const link of readme.links(document)) {
      if (link.startsWith('https://')) continue
      const [file, anchor] = link.split('#')
      const target = path.posix.join(path.posix.dirname(document), file === '' ? path.posix.basename(document) : file)
      assert.ok(fs.existsSync(path.join(ROOT, target)), `${document}: ${link}`)
      if (anchor !== undefined) assert.ok(readme.anchors(target).includes(anchor), `${document}: ${link}`)
      checked++
    }
  }
  assert.ok(checked > 100, `${checked} links`)
})

test('readme: README.md links to every document', () => {
  const linked = new Set(readme.links('README.md').map(link => link.split('#')[0]))
  for (const document of readme.GUIDES.slice(1)) assert.ok(linked.has(document), document)
  for (const name of ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']) assert.ok(linked.has(name), name)
  assert.ok(readme.links('CONTRIBUTING.md').includes('ARCHITECTURE.md'))
})

test('readme: the tables of the benchmark are those of benchmark/results.md', () => {
  const results = new Map(readme.table('benchmark/results.md', 'Results').map(([name, ...cells]) => [name, cells]))
  for (const [document, heading, least] of /** @type {[string, string, number][]} */ ([
    ['README.md', 'Performance', 6], ['docs/performance.md', 'Comparison with other packages', 12]
  ])) {
    assert.match(readme.read(document), /<!-- npm run bench -->\n[^]*?<!-- end -->/, document)
    const rows = readme.table(document, heading)
    assert.ok(rows.length >= least, document)
    for (const [name, ours, ...others] of rows) {
      const [, value, unit] = /^(\S+) (.+)$/.exec(ours) ?? []
      const cells = results.get(`${name}, ${unit}`)
      assert.ok(cells !== undefined, `${document}: ${name}`)
      assert.equal(cells[0], value, `${document}: ${name}`)
      assert.equal(cells[5], others.at(-1), `${document}: ${name}`)
    }
  }
})

test('readme: the queries are PromQL', async t => {
  const queries = readme.blocks().filter(({ language }) => language === 'promql').map(({ code }) => code.trim())
  assert.ok(queries.length >= 12, `${queries.length} queries`)
  const rules = queries.map((query, i) => ({ record: `query_${i}`, expr: query }))
  await checkWithPromtool(t, ['rules'], JSON.stringify({ groups: [{ name: 'readme', rules }] }))
})

const configs = readme.blocks().filter(({ language, mark }) => language === 'yaml' && !mark?.startsWith('manifest '))
for (const [i, { document, code }] of configs.entries()) {
  test(`readme: scrape configuration ${i + 1}, in ${document}, is valid`, async t => {
    // The files of certificates and passwords do not exist here.
    const whole = code.startsWith('scrape_configs:') ? code : `scrape_configs:\n${code}`
    await checkWithPromtool(t, ['config', '--syntax-only'], whole)
  })
}

test('readme: the scrape cases are numbered, and every case that a test cites is among them', () => {
  const numbers = readme.table('docs/scrape-cases.md', 'Scrape cases').map(([number]) => Number(number))
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1))

  const cited = new Set()
  for (const [folder, form] of /** @type {[string, RegExp][]} */ ([
    ['tests', /fn case((?:_\d\d)+)_/g], ['__test__', /^ *test\('cases? (\d+)/gm]
  ])) {
    for (const name of fs.readdirSync(path.join(ROOT, folder))) {
      if (!/\.(rs|js)$/.test(name)) continue
      for (const [, found] of readme.read(`${folder}/${name}`).matchAll(form)) {
        for (const number of found.match(/\d+/g)) cited.add(Number(number))
      }
    }
  }
  assert.ok(cited.size >= 35, `${cited.size} cases are cited`)
  for (const number of cited) assert.ok(numbers.includes(number), `case ${number}`)
})

/** Creates a folder in which the programs of the documents find the packages that they require. */
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

/** Runs a program of the documents on a free port until it ends, and returns its page. */
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

/**
 * @param {import('node:test').TestContext} t
 * @param {string[]} what the kind of the file, and options
 * @param {string} text
 */
async function checkWithPromtool (t, what, text) {
  const skip = lacks('promtool')
  if (skip !== false) return t.skip(skip)
  const folder = createProject(t)
  fs.writeFileSync(path.join(folder, 'file.yml'), text)
  const { code, output } = await execute('promtool', ['check', ...what, 'file.yml'], folder)
  assert.equal(code, 0, output)
}

function execute (command, args, cwd) {
  return new Promise(resolve => {
    execFile(command, args, { cwd, env: { ...process.env, METRICS_PASSWORD: 'a password' }, timeout: 60_000 }, (err, stdout, stderr) => {
      resolve({ code: err ? err.code : 0, output: stdout + stderr })
    })
  })
}

/** Reads a default of index.d.ts. The code stores the value of an option that is an object as a list of pairs. */
function evaluate (value, actual) {
  if (value === '{}' && Array.isArray(actual)) return []
  return value.startsWith("'") ? value.slice(1, -1) : JSON.parse(value)
}
