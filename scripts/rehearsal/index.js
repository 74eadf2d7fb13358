'use strict'

// `npm run rehearsal`: all that the workflow release.yml does, with a registry on this machine. Builds the
// binaries (see `npm run platforms`), packs, publishes, then installs the package on each platform, where the
// README's application runs. Works in copies in target/: the checkout does not change. Needs Debian 12 (x64).
//
//   npm run rehearsal -- --without win32-arm64-msvc   a release without a platform that cannot be built; the end says so

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { faults, inspect } = require('../platforms/binary')
const { build } = require('../platforms/build')
const { checkOut } = require('../platforms/checkout')
const { ROOT, run, say } = require('../platforms/folders')
const { PLATFORMS } = require('../platforms/platforms')
const { prepare } = require('../platforms/runtimes')
const { installPackage, runApplication } = require('./application')
const { FOLDER, startRegistry } = require('./registry')

async function main () {
  const { version } = require('../../package.json')
  const { without, names } = selection(process.argv.slice(2))
  const checkout = checkOut('release')
  const artifacts = path.join(checkout, 'artifacts')
  for (const name of without) remove(name, checkout)
  for (const name of names) collect(name, artifacts)

  fs.rmSync(path.join(FOLDER, 'cache'), { recursive: true, force: true })
  const registry = await startRegistry()
  try {
    const env = {
      ...process.env,
      GITHUB_REF_NAME: `v${version}`,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'holepunchto/hypertrace-prometheus',
      REHEARSAL: 'true',
      NODE_AUTH_TOKEN: registry.token
    }
    say('release.js prepare')
    console.log(run(process.execPath, ['scripts/release.js', 'prepare', 'artifacts', 'dist'], { cwd: checkout, env }))
    say('release.js publish')
    console.log(run(process.execPath, ['scripts/release.js', 'publish', 'dist', `--registry=${registry.url}`, '--loglevel=error'], { cwd: checkout, env }))
    publishHypertrace(registry)
    let failed = 0
    for (const name of names) failed += await rehearse(name, registry.url)
    const lacking = without.length > 0 ? `, without ${without.join(', ')}, which a release must have` : ''
    say(failed === 0 ? `the rehearsal of ${version} found no fault${lacking}` : `${failed} platforms failed${lacking}`)
    if (failed > 0) process.exitCode = 1
  } finally {
    await registry.stop()
  }
}

/**
 * @param {string[]} args pairs of `--without` and the name of a platform
 */
function selection (args) {
  const { values } = parseArgs({ args, options: { without: { type: 'string', multiple: true, default: [] } } })
  const without = values.without ?? []
  const unknown = without.filter((name) => !(name in PLATFORMS))
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: unknown. The platforms are ${Object.keys(PLATFORMS).join(', ')}.`)
  return { without, names: Object.keys(PLATFORMS).filter((name) => !without.includes(name)) }
}

/**
 * Removes a platform from the package in the copy of the checkout.
 *
 * @param {string} name
 * @param {string} checkout
 */
function remove (name, checkout) {
  const file = path.join(checkout, 'package.json')
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8'))
  const { target, published = target } = PLATFORMS[name]
  manifest.napi.targets = manifest.napi.targets.filter((/** @type {string} */ other) => other !== published)
  fs.writeFileSync(file, JSON.stringify(manifest, null, 2) + '\n')
  fs.rmSync(path.join(checkout, 'npm', name), { recursive: true })
}

/**
 * Builds a binary, checks what it links, and adds it to the artifacts.
 *
 * @param {string} name
 * @param {string} artifacts
 */
function collect (name, artifacts) {
  const { file } = build(name)
  const found = faults(inspect(fs.readFileSync(file)), name)
  if (found.length > 0) throw new Error(`${name}: ${found.join('; ')}`)
  const folder = path.join(artifacts, `bindings-${name}`)
  fs.mkdirSync(folder, { recursive: true })
  fs.copyFileSync(file, path.join(folder, path.basename(file)))
}

/**
 * Publishes the installed hypertrace, which the application needs.
 *
 * @param {{ url: string, token: string }} registry
 */
function publishHypertrace ({ url, token }) {
  const host = url.replace(/^http:/, '')
  run('npm', ['publish', path.join(ROOT, 'node_modules', 'hypertrace'), '--ignore-scripts', '--loglevel=error', `--registry=${url}`, `--${host}:_authToken=${token}`])
}

/**
 * Installs and runs the package on one platform. Returns the number of failures.
 *
 * @param {string} name
 * @param {string} registry
 */
async function rehearse (name, registry) {
  const { run: kind } = PLATFORMS[name]
  try {
    const runtime = kind && prepare(kind)
    const { folder, packages } = installPackage(name, registry, runtime)
    if (packages.join() !== `hypertrace-prometheus-${name}`) throw new Error(`npm has installed ${packages.join(', ') || 'no package of a platform'}`)
    const manager = runtime === undefined ? 'npm --os --cpu' : `npm in Node.js ${runtime.node}${runtime.under && `, ${runtime.under}`}`
    say(`${name}: ${manager} has installed ${packages[0]}`)
    if (runtime === undefined) say(`${name}: cannot run here`)
    else say(`${name}: the README's application runs: ${await runApplication(folder, runtime)}`)
    return 0
  } catch (error) {
    say(`${name}: ${error.message}`)
    return 1
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
