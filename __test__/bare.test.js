'use strict'

// Runs an application with the packed package in Bare. The application is bundled by bare-pack (with the commands of
// docs/pear-and-bare.md), bundled by pear-pack, or packed by the plugins of Electron Forge that Pear uses. Each bundle runs in
// another folder.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const bundlers = require('../scripts/bundlers')
const { pack, stageThisPlatform } = require('../scripts/pack')
const { builtPlatforms, hostOf, prebuildOf } = require('../scripts/prebuilds')
const { findRuntime } = require('../scripts/runtimes')
const { LIMIT_MS, copySomeModule, elsewhere, execute, testApplication } = require('./support/bundle')
const { installPacked } = require('./support/packed')
const { marked } = require('./support/readme')
const { lacks } = require('./support/tools')

const skip = lacks('bundlers') || lacks('bare') || lacks('bare-process')
const HOST = `${process.platform}-${process.arch}`
const bare = /** @type {string} */ (findRuntime('bare'))

let folder = ''
let project = ''
/** The folder of the installed package in the project. */
let installed = ''

before(() => {
  if (skip !== false) return
  // The folder is outside the repository, because Bare looks for `prebuilds` in each parent folder too.
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bare-')))
  project = path.join(folder, 'app')
  const { main } = pack(folder, stageEveryPlatform(path.join(folder, 'npm')))
  installPacked(project, [main])
  installed = path.join(project, 'node_modules', 'hypertrace-prometheus')
  fs.cpSync(path.join(__dirname, 'shipping', 'app'), project, { recursive: true })
  fs.writeFileSync(path.join(project, 'stdin.cjs'), "module.exports = require('bare-process').stdin\n")
  copySomeModule(project)
  copyBareProcess()
})

after(() => { if (folder !== '') fs.rmSync(folder, { recursive: true, force: true }) })

/** @type {Record<string, { command: string, entry: string }>} */
const CASES = {
  'one host': { command: 'bare-pack', entry: 'app.js' },
  'one host, as an ES module': { command: 'bare-pack', entry: 'app.mjs' },
  'several hosts at once': { command: 'bare-pack-hosts', entry: 'app.js' }
}

for (const [title, { command, entry }] of Object.entries(CASES)) {
  test(`bare: a bundle of bare-pack for ${title} counts, serves and ends`, { skip, timeout: LIMIT_MS }, async (t) => {
    const dist = path.join(project, 'dist')
    fs.rmSync(dist, { recursive: true, force: true })
    const text = marked(`bundle ${command}`).replace(/^npx /, '').trim()
    const hosts = [...text.matchAll(/--host (\S+)/g)].map(([, host]) => host)
    assert.ok(hosts.includes('linux-x64'))
    if (!hosts.includes(HOST)) hosts[0] = HOST
    await execute(text.replace('linux-x64', hosts[0]).replace('app.js', entry.replace('.js', '.cjs')), project)

    assert.deepEqual(fs.readdirSync(path.join(dist, 'node_modules', 'hypertrace-prometheus', 'prebuilds')).sort(), [...hosts].sort())
    const files = filesOf(path.join(dist, 'app.bundle'))
    assert.ok(files.some((file) => file.endsWith('/hypertrace-prometheus/lib/bare.js')), files.join('\n'))
    assert.deepEqual(files.filter((file) => /\/lib\/(node|load-binding)\.js$|\.node$/.test(file)), [])

    const copy = elsewhere(t)
    fs.cpSync(dist, copy, { recursive: true })
    await testApplication(t, bare, ['app.bundle'], copy)
  })
}

test('bare: a bundle of pear-pack for several hosts counts, serves and ends', { skip, timeout: LIMIT_MS }, async (t) => {
  const pearPack = require(path.join(bundlers.MODULES, 'pear-pack'))
  const Localdrive = require(path.join(bundlers.MODULES, 'localdrive'))
  const hosts = [...new Set([HOST, 'darwin-arm64', 'win32-x64'])]
  // Pear stores the binaries by their digests. Here they are beside the bundle.
  const { bundle, prebuilds } = await pearPack(new Localdrive(project), { entry: '/app.cjs', hosts, builtins: [], prebuildPrefix: '/..' })
  const dist = elsewhere(t)
  fs.writeFileSync(path.join(dist, 'app.bundle'), bundle)
  const binary = fs.readFileSync(prebuildOf(installed, HOST))
  const packed = []
  for (const [name, content] of prebuilds) {
    fs.mkdirSync(path.join(dist, path.dirname(name)), { recursive: true })
    fs.writeFileSync(path.join(dist, name), content)
    if (binary.equals(content)) packed.push(path.basename(path.dirname(name)))
  }
  assert.deepEqual(packed.sort(), hosts.sort())
  await testApplication(t, bare, ['app.bundle'], dist)
})

test('bare: bare-pack fails for a host without a binary, and names the host', { skip, timeout: LIMIT_MS }, async () => {
  const command = marked('bundle bare-pack').replace(/^npx /, '').replace('linux-x64', 'android-arm64').replace('app.js', 'stays.cjs')
  await assert.rejects(execute(command, project), /ADDON_NOT_FOUND[^]*prebuilds\/android-arm64\/hypertrace-prometheus/)
})

test('bare: a binary of another version is an error when the package is loaded', { skip, timeout: LIMIT_MS }, async (t) => {
  const file = path.join(installed, 'lib', 'version.js')
  const text = fs.readFileSync(file, 'utf8')
  t.after(() => fs.writeFileSync(file, text))
  fs.writeFileSync(file, "module.exports = '9.9.9'\n")
  await assert.rejects(execute(`"${bare}" stays.cjs`, project), /hypertrace-prometheus 9\.9\.9 cannot use a binary of version [^]*ERR_BINARY_VERSION/)
})

test('bare: the plugins of Electron Forge leave only the binary of the host, and the application runs with it', { skip, timeout: LIMIT_MS }, async (t) => {
  const copy = elsewhere(t)
  fs.cpSync(project, copy, { recursive: true })
  const prebuilds = path.join(copy, 'node_modules', 'hypertrace-prometheus', 'prebuilds')
  await runHooks(copy, process.platform, process.arch)
  const left = process.platform === 'darwin' ? 'darwin-universal' : HOST
  assert.deepEqual(fs.readdirSync(prebuilds), [left])
  await testApplication(t, bare, ['app.cjs'], copy)
})

test('bare: on macOS the plugins of Electron Forge turn the prebuild of an architecture into the universal prebuild', { skip, timeout: LIMIT_MS }, async (t) => {
  const copy = elsewhere(t)
  fs.cpSync(installed, path.join(copy, 'node_modules', 'hypertrace-prometheus'), { recursive: true })
  await runHooks(copy, 'darwin', 'arm64')
  assert.deepEqual(fs.readdirSync(path.join(copy, 'node_modules', 'hypertrace-prometheus', 'prebuilds')), ['darwin-universal'])
})

test('bare: the package has a prebuild for each host', { skip }, () => {
  for (const name of fs.readdirSync(path.join(__dirname, '..', 'npm'))) {
    const host = hostOf(name)
    if (host !== undefined) assert.ok(fs.existsSync(prebuildOf(installed, host)), host)
  }
})

/**
 * Runs the hooks of both plugins, in the order of Electron Forge.
 *
 * @param {string} folder of the application
 * @param {string} platform
 * @param {string} arch
 */
async function runHooks (folder, platform, arch) {
  const hooks = ['universal', 'prune'].map((name) => {
    const Plugin = require(path.join(bundlers.MODULES, `electron-forge-plugin-${name}-prebuilds`))
    return new Plugin({}).getHooks()
  })
  for (const name of ['packageAfterCopy', 'packageAfterPrune']) {
    for (const hook of hooks.flatMap((plugin) => plugin[name] ?? [])) await hook({}, folder, '40.0.0', platform, arch)
  }
}

/**
 * Writes the platform packages of every target. Only the binary of this host is loaded here, so the other packages contain
 * copies of it.
 *
 * @param {string} to
 */
function stageEveryPlatform (to) {
  stageThisPlatform(to)
  const [built] = builtPlatforms()
  for (const name of fs.readdirSync(path.join(__dirname, '..', 'npm'))) {
    if (hostOf(name) === undefined || name === built) continue
    fs.mkdirSync(path.join(to, name))
    fs.cpSync(path.join(__dirname, '..', 'npm', name), path.join(to, name), { recursive: true })
    fs.copyFileSync(path.join(to, built, `hypertrace-prometheus.${built}.node`), path.join(to, name, `hypertrace-prometheus.${name}.node`))
  }
  return to
}

/** Copies bare-process and its dependencies into the project. bare-process has the standard streams of Bare. */
function copyBareProcess () {
  const modules = path.dirname(path.dirname(/** @type {string} */ (findRuntime('bare-process'))))
  const copied = new Set()
  const copy = (/** @type {string} */ name) => {
    if (copied.has(name)) return
    copied.add(name)
    const from = path.join(modules, name)
    fs.cpSync(from, path.join(project, 'node_modules', name), { recursive: true })
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(fs.readFileSync(path.join(from, 'package.json'), 'utf8'))
    for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
      if (fs.existsSync(path.join(modules, dependency))) copy(dependency)
    }
  }
  copy('bare-process')
}

/**
 * Returns the names of the files in a bundle.
 *
 * @param {string} file
 * @returns {string[]}
 */
function filesOf (file) {
  const Bundle = require(path.join(bundlers.MODULES, 'bare-bundle'))
  return [...Bundle.from(fs.readFileSync(file)).keys()]
}
