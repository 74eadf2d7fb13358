'use strict'

// Bundles an application and the packed package with real bundlers, by the commands and configurations of docs/bundlers.md.
// Each bundle runs in another folder.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { after, before, test } = require('node:test')
const bundlers = require('../scripts/bundlers')
const { COUNTED, LIMIT_MS, copyApplication, copySomeModule, elsewhere, execute, testApplication } = require('./support/bundle')
const { get } = require('./support/http')
const { installPacked, packThisPlatform } = require('./support/packed')
const { freePort } = require('./support/ports')
const { marked } = require('./support/readme')
const { lacks } = require('./support/tools')

const skip = lacks('bundlers')

/**
 * @typedef {{ command: string, config?: string, bundle: string, external?: boolean }} Case
 * command: with `config`, the command of the bundler; else the mark of a command in docs/bundlers.md.
 * bundle: a file in the folder `dist`
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
  'ncc with the addon': { command: 'ncc', bundle: 'index.js' },
  'ncc without the package': { command: 'ncc-external', bundle: 'index.js', external: true }
}

/** @type {ReturnType<typeof packThisPlatform>} */
let packed
/** The folder of the application. It is inside the folder of the bundlers, so that configurations find the bundlers. */
let project = ''

before(() => {
  if (skip !== false) return
  packed = packThisPlatform()
  const parent = fs.mkdtempSync(path.join(bundlers.FOLDER, 'project-'))
  project = path.join(parent, 'app')
  installPacked(project, [packed.tarballs.main, ...packed.tarballs.platforms])
  copyApplication(project)
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
      await execute(marked(`bundle ${command}`).replace(/^npx /, '').trim(), project)
    } else {
      fs.writeFileSync(path.join(project, config), marked(`file ${config}`))
      const output = await execute(`${command} --config ${config}`, project)
      assert.doesNotMatch(output, /warning/i)
    }
    const folder = elsewhere(t)
    fs.cpSync(dist, path.join(folder, 'dist'), { recursive: true })
    const addons = fs.readdirSync(dist).filter((name) => name.endsWith('.node'))
    assert.equal(addons.length, external ? 0 : 1)
    if (external) fs.cpSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'), { recursive: true })
    await testApplication(t, process.execPath, [bundle], path.join(folder, 'dist'))
  })
}

test('bundlers: Vite needs no configuration', { skip, timeout: LIMIT_MS }, async (t) => {
  fs.rmSync(path.join(project, 'vite.config.mjs'), { force: true })
  await execute('vite build --ssr app.mjs --outDir vite-plain', project)
  const folder = elsewhere(t)
  fs.cpSync(path.join(project, 'vite-plain'), path.join(folder, 'dist'), { recursive: true })
  fs.cpSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'), { recursive: true })
  await testApplication(t, process.execPath, ['app.mjs'], path.join(folder, 'dist'))
})

test('bundlers: a single executable application, with the addon beside it', {
  skip: skip || (process.platform !== 'linux' && 'the commands are those for Linux'), timeout: LIMIT_MS
}, async (t) => {
  fs.rmSync(path.join(project, 'dist'), { recursive: true, force: true })
  fs.writeFileSync(path.join(project, 'sea-config.json'), marked('file sea-config.json'))
  const PATH = [bundlers.BIN, path.dirname(process.execPath), process.env.PATH].join(path.delimiter)
  await execute(marked('bundle sea').replaceAll('npx ', '').trim().replaceAll('\n', ' && '), project, { PATH })
  const folder = elsewhere(t)
  for (const name of fs.readdirSync(path.join(project, 'dist'))) {
    if (name === 'application' || name.endsWith('.node')) fs.cpSync(path.join(project, 'dist', name), path.join(folder, name))
  }
  assert.equal(fs.readdirSync(folder).length, 2)
  await testApplication(t, path.join(folder, 'application'), [], os.tmpdir())
})

test('bundlers: with the permission model, the package needs --allow-addons and its files', { skip, timeout: LIMIT_MS }, async (t) => {
  const permission = ['--permission', '--experimental-permission'].find((flag) => process.allowedNodeEnvironmentFlags.has(flag))
  assert.ok(permission !== undefined)
  await testApplication(t, process.execPath, [permission, '--allow-addons', `--allow-fs-read=${project}`, 'app.js'], project)
})

test('bundlers: Next.js with Turbopack, without the package, as a standalone server', { skip, timeout: LIMIT_MS }, async (t) => {
  writeRoute(marked('file next.config.mjs'))
  await execute('next build', project)
  const folder = elsewhere(t)
  fs.cpSync(path.join(project, '.next', 'standalone'), folder, { recursive: true })
  const server = fs.readdirSync(folder, { recursive: true }).map(String).find((name) => {
    return path.basename(name) === 'server.js' && !name.includes('node_modules')
  })
  assert.ok(server !== undefined)
  const port = await freePort()
  await testNext(t, [path.join(folder, server)], port, { PORT: String(port), HOSTNAME: '127.0.0.1' })
})

test('bundlers: Next.js with webpack, without the package', { skip, timeout: LIMIT_MS }, async (t) => {
  // The list of files for a standalone server is left out: it takes most of the time of a build with webpack.
  writeRoute(marked('file next.config.mjs').replace("  output: 'standalone',\n", ''))
  await execute('next build --webpack --experimental-build-mode compile', project)
  const port = await freePort()
  const next = path.join(bundlers.MODULES, 'next', 'dist', 'bin', 'next')
  await testNext(t, [next, 'start', project, '-p', String(port), '-H', '127.0.0.1'], port)
})

/**
 * Writes a route that returns the page.
 *
 * @param {string} config of Next.js
 */
function writeRoute (config) {
  const route = path.join(project, 'app', 'metrics')
  fs.rmSync(path.join(project, '.next'), { recursive: true, force: true })
  fs.mkdirSync(route, { recursive: true })
  fs.writeFileSync(path.join(project, 'next.config.mjs'), config)
  // The test needs a request that stops the exporter. An application does not: its exporter has no server of its own.
  fs.writeFileSync(path.join(route, 'route.js'), marked('file route.js') +
    "\nexport async function DELETE () {\n  await traceFunction.stop()\n  return new Response('stopped')\n}\n")
  copySomeModule(route)
}

/**
 * Runs a server of Next.js, and checks its pages and its end.
 *
 * @param {import('node:test').TestContext} t
 * @param {string[]} args
 * @param {number} port
 * @param {NodeJS.ProcessEnv} [more] environment variables
 */
async function testNext (t, args, port, more = {}) {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', ...more }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
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
}
