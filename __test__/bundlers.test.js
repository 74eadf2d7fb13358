'use strict'

// An application with the packed package, bundled by real bundlers with the commands and configurations of
// docs/bundlers.md. Each bundle runs in another folder.

const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { after, before, test } = require('node:test')
const bundlers = require('../scripts/bundlers')
const { get } = require('./support/http')
const { installPacked, packThisPlatform } = require('./support/packed')
const { freePort } = require('./support/ports')
const { marked } = require('./support/readme')
const { lacks } = require('./support/tools')

const LIMIT_MS = 300_000
const COUNTED = /^trace_counter\{object_classname="SomeModule",caller_functionname="get",caller_filename="[^"]*",id="get",object_id="1",object_props_someCustom="property"\} (\d+)$/m
const skip = lacks('bundlers')

/**
 * @typedef {{ command: string, config?: string, bundle: string, external?: boolean }} Case
 * command: without `config` the mark of one in docs/bundlers.md; bundle: in the folder `dist`
 * @type {Record<string, Case>}
 */
const CASES = {
  'esbuild with the addon': { command: 'esbuild', bundle: 'app.js' },
  'esbuild with the addon, as an ES module': { command: 'esbuild-esm', bundle: 'app.mjs' },
  'esbuild without the package': { command: 'esbuild-external', bundle: 'app.js', external: true },
  'webpack without the package': { command: 'webpack', config: 'webpack.external.config.js', bundle: 'app.js', external: true },
  'webpack with the addon': { command: 'webpack', config: 'webpack.addon.config.js', bundle: 'app.js' },
  'Rollup without the package': { command: 'rollup', config: 'rollup.config.mjs', bundle: 'app.mjs', external: true },
  'Vite without the package': { command: 'vite build', config: 'vite.config.mjs', bundle: 'app.mjs', external: true },
  'ncc with the addon': { command: 'ncc', bundle: 'index.js' }
}

/** @type {ReturnType<typeof packThisPlatform>} */
let packed
/** Inside the folder of the bundlers, so that configurations find these. */
let project = ''

before(() => {
  if (skip !== false) return
  packed = packThisPlatform()
  const parent = fs.mkdtempSync(path.join(bundlers.FOLDER, 'project-'))
  project = path.join(parent, 'app')
  installPacked(project, [packed.tarballs.main, ...packed.tarballs.platforms])
  for (const name of ['app.js', 'app.mjs']) fs.copyFileSync(path.join(__dirname, 'bundlers', name), path.join(project, name))
  copySomeModule(project)
})

after(() => {
  packed?.remove()
  if (project !== '') fs.rmSync(path.dirname(project), { recursive: true, force: true })
})

for (const [title, { command, config, bundle, external = false }] of Object.entries(CASES)) {
  test(`bundlers: ${title}`, { skip, timeout: LIMIT_MS }, async (t) => {
    const dist = path.join(project, 'dist')
    fs.rmSync(dist, { recursive: true, force: true })
    if (config === undefined) {
      await execute(marked(`bundle ${command}`).replace(/^npx /, '').trim())
    } else {
      fs.writeFileSync(path.join(project, config), marked(`file ${config}`))
      const output = await execute(`${command} --config ${config}`)
      assert.doesNotMatch(output, /warning/i)
    }
    const folder = elsewhere(t)
    fs.cpSync(dist, path.join(folder, 'dist'), { recursive: true })
    const addons = fs.readdirSync(dist).filter((name) => name.endsWith('.node'))
    assert.equal(addons.length, external ? 0 : 1)
    if (external) fs.cpSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'), { recursive: true })
    await testBundle(t, path.join(folder, 'dist', bundle))
  })
}

test('bundlers: Vite needs no configuration', { skip, timeout: LIMIT_MS }, async (t) => {
  fs.rmSync(path.join(project, 'vite.config.mjs'), { force: true })
  await execute('vite build --ssr app.mjs --outDir vite-plain')
  const folder = elsewhere(t)
  fs.cpSync(path.join(project, 'vite-plain'), path.join(folder, 'dist'), { recursive: true })
  fs.cpSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'), { recursive: true })
  await testBundle(t, path.join(folder, 'dist', 'app.mjs'))
})

test('bundlers: Next.js without the package, as a standalone server', { skip, timeout: LIMIT_MS }, async (t) => {
  const route = path.join(project, 'app', 'metrics')
  fs.mkdirSync(route, { recursive: true })
  fs.writeFileSync(path.join(project, 'next.config.mjs'), marked('file next.config.mjs'))
  // The test needs a request that stops the exporter. An application does not: its exporter has no server of its own.
  fs.writeFileSync(path.join(route, 'route.js'), marked('file route.js') +
    "\nexport async function DELETE () {\n  await traceFunction.stop()\n  return new Response('stopped')\n}\n")
  copySomeModule(route)
  await execute('next build')

  const folder = elsewhere(t)
  fs.cpSync(path.join(project, '.next', 'standalone'), folder, { recursive: true })
  const server = fs.readdirSync(folder, { recursive: true }).map(String).find((name) => {
    return path.basename(name) === 'server.js' && !name.includes('node_modules')
  })
  assert.ok(server !== undefined)
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), HOSTNAME: '127.0.0.1', NEXT_TELEMETRY_DISABLED: '1' }
  const child = spawn(process.execPath, [path.join(folder, server)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  for await (const line of readline.createInterface({ input: child.stdout })) if (/Ready/.test(line)) break
  const where = { port, host: '127.0.0.1' }
  for (const count of ['1', '2']) {
    const { status, headers, body } = await get(where)
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(COUNTED.exec(body)?.[1], count)
  }
  assert.equal((await get({ ...where, method: 'DELETE' })).body, 'stopped')
  child.kill()
  await closed
})

/**
 * Runs a bundle: it serves, and ends with its standard input.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} file
 */
async function testBundle (t, file) {
  const child = spawn(process.execPath, [file], { cwd: path.dirname(file), stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  assert.ok(!first.done, stderr)
  const { port, page } = JSON.parse(first.value)
  const where = { port, host: '127.0.0.1' }
  const { status, body } = await get(where)
  assert.equal(status, 200)
  for (const text of [page, body]) assert.equal(COUNTED.exec(text)?.[1], '2', text)
  child.stdin.end()
  assert.equal((await lines.next()).value, 'stopped')
  await assert.rejects(get(where), { code: 'ECONNREFUSED' })
  assert.deepEqual(await closed, [0, null], stderr)
}

/**
 * Runs a command of a bundler in the project.
 *
 * @param {string} command
 * @returns {Promise<string>} its output
 */
function execute (command) {
  const PATH = [bundlers.BIN, process.env.PATH].join(path.delimiter)
  const shell = process.platform === 'win32' ? ['cmd', '/d', '/s', '/c'] : ['sh', '-c']
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1' }
    execFile(shell[0], [...shell.slice(1), command], { cwd: project, env, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr)
      else reject(new Error(`${command}:\n${stdout}${stderr}`))
    })
  })
}

/** @param {string} folder */
function copySomeModule (folder) {
  for (const name of ['some-module.cjs', 'some-module.mjs']) {
    fs.copyFileSync(path.join(__dirname, '..', 'examples', name), path.join(folder, name))
  }
}

/**
 * Creates a folder outside the repository.
 *
 * @param {import('node:test').TestContext} t
 */
function elsewhere (t) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bundle-')))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}
