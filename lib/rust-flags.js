'use strict'

// Flags of rustc that replace paths of this machine: without them a binary contains the folder of cargo's
// crates, which has the name of the user, and differs from a binary that was built elsewhere.

const { execFileSync } = require('node:child_process')
const os = require('node:os')
const path = require('node:path')

/**
 * Returns the flags to add to RUSTFLAGS. cargo splits RUSTFLAGS at spaces, so a path with a space is not replaced.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string[]}
 */
function rustFlags (env = process.env) {
  const rustc = env.RUSTC ?? 'rustc'
  const sysroot = execFileSync(rustc, ['--print', 'sysroot'], { encoding: 'utf8', env }).trim()
  const [, commit] = /^commit-hash: (.*)$/m.exec(execFileSync(rustc, ['-vV'], { encoding: 'utf8', env })) ?? []
  const paths = {
    [env.CARGO_HOME ?? path.join(os.homedir(), '.cargo')]: '/cargo',
    // The path that code of the standard library has in a binary if its source is not installed.
    [path.join(sysroot, 'lib', 'rustlib', 'src', 'rust')]: `/rustc/${commit}`
  }
  return Object.entries(paths).filter(([from]) => !/\s/.test(from)).map(([from, to]) => `--remap-path-prefix=${from}=${to}`)
}

/**
 * Returns an environment with the flags.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
function withRustFlags (env = process.env) {
  return { ...env, RUSTFLAGS: [env.RUSTFLAGS ?? '', ...rustFlags(env)].join(' ').trim() }
}

module.exports = { withRustFlags }
