'use strict'

// Flags of rustc that replace paths of this machine. Without them, a binary contains the path of cargo's crates, with
// the name of the user. So two machines would build different binaries.

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
    // If the source of the standard library is not installed, rustc writes `/rustc/<commit>` for its path.
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
