'use strict'

// Builds with AddressSanitizer and with coverage for a fuzzer. Uses the stable compiler: with RUSTC_BOOTSTRAP=1 the compiler
// accepts flags that otherwise only a nightly compiler accepts. Needs Linux on x64 or arm64, and g++.

const { spawnSync } = require('node:child_process')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const TARGET = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`

const ASAN = ['-Zsanitizer=address']

/** Coverage as cargo-fuzz configures it. */
const COVERAGE = [
  '--cfg=fuzzing', '-Ccodegen-units=1', '-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters', '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares'
]

/**
 * Runs cargo with flags of rustc, in a target folder of their own.
 *
 * @param {string} folder of `target/`
 * @param {string[]} flags
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [more]
 * @param {string[]} [program] arguments of the program that cargo runs
 * @returns {boolean}
 */
function cargo (folder, flags, args, more = {}, program = []) {
  const env = {
    ...process.env,
    ...more,
    RUSTC_BOOTSTRAP: '1',
    CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'),
    CARGO_TARGET_DIR: path.join(ROOT, 'target', folder)
  }
  return spawnSync('cargo', [...args, '--target', TARGET, ...program.length > 0 ? ['--', ...program] : []], { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}

/** Returns the reason why such a build is not possible here; `undefined` if it is possible. */
function unsupported () {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return 'AddressSanitizer needs Linux on x64 or arm64'
  if (spawnSync('g++', ['--version'], { stdio: 'ignore' }).status !== 0) return 'g++ is not installed: apt-get install g++'
}

module.exports = { ASAN, COVERAGE, TARGET, cargo, unsupported }
