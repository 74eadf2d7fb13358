'use strict'

// Runs the README's application on every runtime, with the package as npm installs it. Compares the results with the
// README's table.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const readline = require('node:readline')
const { after, before, test } = require('node:test')
const { findRuntime } = require('../scripts/runtimes')
const { get } = require('./support/http')
const { installPacked, packThisPlatform } = require('./support/packed')
const { lacks } = require('./support/tools')

const LIMIT_MS = 60_000
const APPLICATIONS = { CommonJS: 'app.cjs', 'ES module': 'app.mjs', TypeScript: 'app.mts' }

/** @type {Record<string, { title: string, args?: string[] }>} */
const TESTED = {
  node20: { title: 'Node.js 20' },
  node22: { title: 'Node.js 22' },
  node24: { title: 'Node.js 24' },
  node26: { title: 'Node.js 26' },
  bun: { title: 'Bun 1.4' },
  deno: { title: 'Deno 2.9', args: ['run', '--allow-all', '--no-check'] },
  bare: { title: 'Bare 1.31' }
}
const UNSUPPORTED = new Set(['node20 TypeScript']) // Node.js strips types since 22.18

/** The families on the page of each runtime, by kind of application. @type {Map<string, Map<string, string[]>>} */
const results = new Map(Object.keys(TESTED).map((runtime) => [runtime, new Map()]))
/** @type {ReturnType<typeof packThisPlatform>} */
let packed
let project = ''

before(() => {
  packed = packThisPlatform()
  project = path.join(packed.folder, 'project')
  installPacked(project, [packed.tarballs.main, ...packed.tarballs.platforms])
  fs.cpSync(path.join(__dirname, 'shipping', 'app'), project, { recursive: true })
  for (const name of ['some-module.cjs', 'some-module.mjs']) {
    fs.copyFileSync(path.join(__dirname, '..', 'examples', name), path.join(project, name))
  }
})

after(() => packed?.remove())

for (const [runtime, { title, args = [] }] of Object.entries(TESTED)) {
  const skip = lacks(runtime) || (runtime === 'bare' && lacks('bare-process'))
  for (const [kind, file] of Object.entries(APPLICATIONS)) {
    if (UNSUPPORTED.has(`${runtime} ${kind}`)) continue
    test(`runtimes: ${title} traces, serves and stops, as ${kind}`, { skip, timeout: LIMIT_MS }, async (t) => {
      const families = await testApplication(t, runtime, [...args, file])
      results.get(runtime)?.set(kind, families)
    })
  }

  test(`runtimes: an open server keeps ${title} alive`, { skip, timeout: LIMIT_MS }, async (t) => {
    const { child, closed, firstLine } = startApplication(t, runtime, [...args, 'stays.cjs'])
    const port = Number(await firstLine())
    for (let scrape = 0; scrape < 5; scrape++) assert.equal((await get({ port, host: '127.0.0.1' })).status, 200)
    child.kill('SIGKILL')
    assert.deepEqual(await closed, [null, 'SIGKILL'])
  })

  test(`runtimes: after unref() the server does not keep ${title} alive`, { skip, timeout: LIMIT_MS }, async (t) => {
    const { closed, firstLine } = startApplication(t, runtime, [...args, 'ends.cjs'])
    assert.match(await firstLine(), /^\d+$/)
    assert.deepEqual(await closed, [0, null])
  })
}

/**
 * @param {import('node:test').TestContext} t
 * @param {string} runtime
 * @param {string[]} args
 */
function startApplication (t, runtime, args) {
  const child = spawn(/** @type {string} */ (findRuntime(runtime)), args, { cwd: project, stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const firstLine = async () => {
    const line = await lines.next()
    assert.ok(!line.done, `no line was written; stderr: ${stderr}`)
    return line.value
  }
  return { child, lines, firstLine, closed: once(child, 'close'), errors: () => stderr }
}

/**
 * @param {import('node:test').TestContext} t
 * @param {string} runtime
 * @param {string[]} args
 * @returns {Promise<string[]>} the families on the page
 */
async function testApplication (t, runtime, args) {
  const stdin = runtime === 'bare' ? `require(${JSON.stringify(findRuntime('bare-process'))})` : "require('node:process')"
  fs.writeFileSync(path.join(project, 'stdin.cjs'), `module.exports = ${stdin}.stdin\n`)
  const { child, lines, firstLine, closed, errors } = startApplication(t, runtime, args)
  const { port, page } = JSON.parse(await firstLine())
  const { status, headers, body } = await get({ port, host: '127.0.0.1' })
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  for (const text of [page, body]) {
    assert.match(text, /^trace_counter\{object_classname="SomeModule",caller_functionname="get",caller_filename="[^"]*some-module\.[cm]js",id="get",object_id="1",object_props_someCustom="property"\} 2$/m)
  }

  child.stdin.end()
  assert.equal((await lines.next()).value, 'stopped')
  await assert.rejects(get({ port, host: '127.0.0.1' }), { code: 'ECONNREFUSED' })
  const [code, signal] = await closed
  assert.equal(signal ?? code, 0, errors())
  return [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)
}

const isComplete = Object.keys(TESTED).every((runtime) => findRuntime(runtime) !== undefined)

test('runtimes: the table of the README has the results', {
  skip: isComplete ? process.platform !== 'linux' && 'Linux has the most process_* families' : 'not every runtime is installed: node scripts/runtimes.js'
}, () => {
  const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8')
  const stated = /<!-- runtimes -->\s*(.*?)\s*<!-- \/runtimes -->/s.exec(readme)?.[1]
  assert.equal(stated, table())
})

/** The table of the README. A family counts if at least one runtime has it. */
function table () {
  const families = [...results].map(([runtime, pages]) => ({ runtime, pages, names: new Set([...pages.values()].flat()) }))
  const share = (names, prefix) => {
    const all = new Set(families.flatMap((other) => [...other.names]).filter((name) => name.startsWith(prefix)))
    const had = [...all].filter((name) => names.has(name))
    return had.length === all.size ? 'all' : `${had.length} of ${all.size}`
  }
  const rows = families.map(({ runtime, pages, names }) => [
    TESTED[runtime].title,
    ...Object.keys(APPLICATIONS).map((kind) => pages.has(kind) ? 'yes' : 'no'),
    share(names, 'process_'),
    share(names, 'nodejs_')
  ])
  const head = ['Runtime', 'CommonJS', 'ES modules', 'TypeScript as it is', '`process_*` families', '`nodejs_*` families']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
