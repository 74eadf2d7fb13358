'use strict'

// `npm run build`: builds the release addon with the napi CLI, which gets the arguments too. The same source gives the
// same binary in each folder and for each user; `npm run reproduce` checks this.
//
// With the program cargo-auditable the binary contains the list of its crates, which scanners for known
// vulnerabilities read. The release requires it (AUDITABLE=1).

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { withRustFlags } = require('../lib/rust-flags')

const ROOT = path.dirname(__dirname)
const ARGS = ['build', '--platform', '--release', '--no-js', '--dts', 'binding.d.ts']

/** @param {string[]} more */
function main (more) {
  const env = withRustFlags()
  if (env.AUDITABLE === '1') {
    // `cargo auditable` sets these variables for the cargo that it starts. Here the napi CLI starts cargo.
    env.RUSTC_WORKSPACE_WRAPPER = 'cargo-auditable'
    env.CARGO_AUDITABLE_ORIG_ARGS = JSON.stringify({ offline: false, locked: true, frozen: false, config: [] })
  }
  // npm adds the folder of the napi CLI to PATH.
  const { status } = spawnSync('napi', [...ARGS, ...more], { cwd: ROOT, env, stdio: 'inherit', shell: process.platform === 'win32' })
  process.exitCode = status ?? 1
}

main(process.argv.slice(2))
