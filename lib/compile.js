'use strict'

// The release build of the addon by cargo, for `npx hypertrace-prometheus build` and for `npm run build`.

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { withRustFlags } = require('./rust-flags')

const ROOT = path.dirname(__dirname)

/**
 * Compiles the library and returns its path; `undefined` if cargo failed.
 *
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env with the target in CARGO_BUILD_TARGET
 * @param {string[]} [options.more] arguments
 * @param {string} [options.program] that accepts the arguments of cargo
 * @returns {string | undefined}
 */
function compile ({ env, more = [], program = 'cargo' }) {
  // The tests need a Rust library too. In a build of both types cargo does not optimise across crates.
  const type = ['--lib', '--crate-type', 'cdylib']
  const args = ['rustc', '--release', ...type, '--message-format=json-render-diagnostics', ...more]
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: ROOT, env: withTargetFlags(withRustFlags(env)), encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'inherit']
  })
  if (error !== undefined) console.error(`${program}: ${error.message}`)
  if (status !== 0) return undefined
  return stdout.split('\n')
    .filter((line) => line.includes('"compiler-artifact"'))
    .flatMap((line) => JSON.parse(line).filenames)
    .find((file) => /[\\/](lib)?hypertrace_prometheus\.(so|dylib|dll)$/.test(file))
}

/** @param {NodeJS.ProcessEnv} env */
function withTargetFlags (env) {
  // On musl an addon must use the C library of the program that loads it.
  if (!targetTriple(env).includes('musl')) return env
  return { ...env, RUSTFLAGS: `${env.RUSTFLAGS ?? ''} -Ctarget-feature=-crt-static`.trim() }
}

/**
 * Returns the triple of the platform that cargo builds for; '' if the compiler does not report it.
 *
 * @param {NodeJS.ProcessEnv} [env]
 */
function targetTriple (env = process.env) {
  const { CARGO_BUILD_TARGET, RUSTC = 'rustc' } = env
  if (CARGO_BUILD_TARGET) return CARGO_BUILD_TARGET
  const { stdout } = spawnSync(RUSTC, ['-vV'], { encoding: 'utf8', env })
  return /^host: (.*)$/m.exec(stdout ?? '')?.[1] ?? ''
}

module.exports = { compile, targetTriple }
