'use strict'

// Builds the binary of a platform, unless the sources have not changed since its last build.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { checkOut, sources } = require('./checkout')
const { FOLDER, ROOT, run, say } = require('./folders')
const { PLATFORMS } = require('./platforms')
const { toolchain } = require('./toolchain')

/** Without the unit tests, which no build of the addon compiles. */
const INPUTS = ['src', ':!src/**/tests.rs', ':!src/**/tests/**', 'Cargo.toml', 'Cargo.lock', 'build.rs', '.ci/zig.txt', 'lib/build-addon.js']

/**
 * @typedef {object} Built
 * @property {string} file
 * @property {string} digest of the sources and of the platform's entry in PLATFORMS
 * @property {string} date
 * @property {string} compiler
 * @property {number} seconds
 * @property {number} bytes
 */

/**
 * @param {string} name of PLATFORMS
 * @returns {Built}
 */
function build (name) {
  const file = path.join(FOLDER, 'binaries', `hypertrace-prometheus.${name}.node`)
  const record = `${file}.json`
  const digest = digestOf(name)
  if (fs.existsSync(file) && fs.existsSync(record)) {
    const built = JSON.parse(fs.readFileSync(record, 'utf8'))
    if (built.digest === digest) return built
  }
  const env = toolchain(PLATFORMS[name])
  const [compiler] = run(String(env.RUSTC), ['--version'], { env }).split('\n')
  say(`${name}: building with ${compiler}`)
  const start = performance.now()
  const library = compile(name, env)
  const seconds = Math.round((performance.now() - start) / 1000)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.copyFileSync(library, file)
  const built = { file, digest, date: new Date().toISOString().slice(0, 10), compiler, seconds, bytes: fs.statSync(file).size }
  fs.writeFileSync(record, JSON.stringify(built, null, 2) + '\n')
  return built
}

/**
 * Compiles the addon and returns the path of the library.
 *
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 */
function compile (name, env) {
  const { build, target, suffix = '' } = PLATFORMS[name]
  if (build === 'command') {
    // In a copy, because the command writes beside the sources.
    const checkout = checkOut('command')
    run(process.execPath, ['bin/hypertrace-prometheus.js', 'build'], { cwd: checkout, env: { ...env, CARGO_BUILD_TARGET: target } })
    return path.join(checkout, 'hypertrace-prometheus.node')
  }
  run('cargo-zigbuild', ['rustc', '--release', '--lib', '--crate-type', 'cdylib', '--locked', '--target', target + suffix], { env })
  const folder = path.join(FOLDER, 'build', target, 'release')
  const library = fs.readdirSync(folder).find((file) => /^(lib)?hypertrace_prometheus\.(so|dylib|dll)$/.test(file))
  if (library === undefined) throw new Error(`${folder} has no library`)
  return path.join(folder, library)
}

/** @param {string} name */
function digestOf (name) {
  const hash = crypto.createHash('sha256').update(JSON.stringify(PLATFORMS[name]))
  for (const file of sources(INPUTS)) hash.update(`${file}\0`).update(fs.readFileSync(path.join(ROOT, file)))
  return hash.digest('hex')
}

module.exports = { build }
