'use strict'

// Installs an application and the packed package with pnpm and with Yarn (Plug'n'Play). These let a package load only the
// dependencies that it declares. As in the release, the package of the platform is an optional dependency of the main package.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { LIMIT_MS, copyApplication, elsewhere, execute, testApplication } = require('./support/bundle')
const { npm, packThisPlatform } = require('./support/packed')
const { lacks } = require('./support/tools')

const ROOT = path.join(__dirname, '..')
const skip = lacks('bundlers')

/** @type {ReturnType<typeof packThisPlatform>} */
let packed
/** The tarballs of the dependencies, by name. @type {Record<string, string>} */
const tarballs = {}
let platform = ''

before(() => {
  if (skip !== false) return
  packed = packThisPlatform()
  const [{ file }] = packed.tarballs.platforms
  const folder = path.join(packed.folder, 'released')
  fs.mkdirSync(folder)
  execFileSync('tar', ['-xzf', packed.tarballs.main.file, '-C', folder])
  const manifestFile = path.join(folder, 'package', 'package.json')
  const manifest = JSON.parse(fs.readFileSync(manifestFile, 'utf8'))
  platform = path.basename(file).replace(`-${manifest.version}.tgz`, '')
  fs.writeFileSync(manifestFile, JSON.stringify({ ...manifest, optionalDependencies: { [platform]: manifest.version } }))
  npm(path.join(folder, 'package'), 'pack', '--ignore-scripts', '--pack-destination', folder)
  npm(path.join(ROOT, 'node_modules', 'hypertrace'), 'pack', '--ignore-scripts', '--pack-destination', folder)
  const named = (/** @type {RegExp} */ pattern) => path.join(folder, fs.readdirSync(folder).find((name) => pattern.test(name)) ?? '')
  Object.assign(tarballs, { hypertrace: named(/^hypertrace-\d/), 'hypertrace-prometheus': named(/^hypertrace-prometheus-\d/), [platform]: file })
})

after(() => packed?.remove())

test('package managers: pnpm installs the package and its binary', { skip, timeout: LIMIT_MS }, async (t) => {
  const project = createProject(t)
  fs.writeFileSync(path.join(project, 'pnpm-workspace.yaml'), `overrides:\n  ${platform}: file:./${platform}.tgz\n`)
  await execute(`pnpm install --offline --ignore-scripts --store-dir "${path.join(project, 'store')}"`, project)
  await testApplication(t, process.execPath, ['app.js'], project)
})

for (const app of ['app.js', 'app.mjs']) {
  test(`package managers: Yarn installs the package and its binary, and runs ${app} with Plug'n'Play`, { skip, timeout: LIMIT_MS }, async (t) => {
    const project = createProject(t)
    fs.writeFileSync(path.join(project, '.yarnrc.yml'), 'nodeLinker: pnp\nenableGlobalCache: false\nenableNetwork: false\nenableTelemetry: false\nenableScripts: false\npnpEnableEsmLoader: true\n')
    await execute('yarn install', project, { YARN_ENABLE_IMMUTABLE_INSTALLS: 'false' })
    await testApplication(t, process.execPath, ['--require', './.pnp.cjs', '--experimental-loader', './.pnp.loader.mjs', app], project)
  })
}

/** @param {import('node:test').TestContext} t */
function createProject (t) {
  const project = elsewhere(t)
  for (const [name, file] of Object.entries(tarballs)) fs.copyFileSync(file, path.join(project, `${name}.tgz`))
  fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({
    name: 'application',
    private: true,
    dependencies: { hypertrace: 'file:./hypertrace.tgz', 'hypertrace-prometheus': 'file:./hypertrace-prometheus.tgz' },
    resolutions: { [platform]: `file:./${platform}.tgz` } // for Yarn; pnpm has its overrides in pnpm-workspace.yaml
  }))
  copyApplication(project)
  return project
}
