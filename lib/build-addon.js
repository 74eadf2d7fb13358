'use strict'

// `npx hypertrace-prometheus build`: compiles the addon in the installed package, for platforms
// without a prebuilt binary. An installation never runs this command. The command needs Rust and a linker, but no npm package.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { compile, targetTriple } = require('./compile')

const ROOT = path.dirname(__dirname)
const RESULT = path.join(ROOT, 'hypertrace-prometheus.node')

function main () {
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    fail([
      'hypertrace-prometheus cannot be built: cargo, which comes with Rust, was not found.',
      'Install Rust with https://rustup.rs, open a new terminal and run `npx hypertrace-prometheus build` again.'
    ].join('\n'))
  } else {
    build()
  }
}

function build () {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hypertrace-prometheus-'))
  try {
    const library = compileTo(scratch)
    if (library === undefined) return fail('hypertrace-prometheus was not built: cargo failed, see above.')
    fs.copyFileSync(library, RESULT)
    const prebuild = path.join(ROOT, 'prebuilds', bareHost(), 'hypertrace-prometheus.node')
    fs.mkdirSync(path.dirname(prebuild), { recursive: true })
    fs.copyFileSync(library, prebuild)
    console.log(`Built ${RESULT}`)
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * Compiles the library into a scratch folder and returns its path; `undefined` if cargo failed.
 *
 * @param {string} scratch
 * @returns {string | undefined}
 */
function compileTo (scratch) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { CARGO_TARGET_DIR: scratch, ...process.env }
  if (/-windows-gnu(llvm)?$/.test(targetTriple())) env.LIBNODE_PATH ??= createLibnode(scratch)
  // A warning that only a newer compiler has must not be an error here.
  return compile({ env, more: ['--locked', '--', '--cap-lints=warn'] })
}

/** Returns the name of this platform in Bare, which looks for addons in `prebuilds/<host>/`. */
function bareHost () {
  return `${process.platform}-${process.arch}${targetTriple().includes('musl') ? '-musl' : ''}`
}

/**
 * Creates an empty libnode and returns its folder. With the GNU toolchain of Windows the build script of the
 * crate `napi` fails without a libnode, although the addon finds the functions of Node.js at run time.
 *
 * @param {string} scratch
 */
function createLibnode (scratch) {
  const folder = path.join(scratch, 'libnode')
  fs.mkdirSync(folder)
  fs.writeFileSync(path.join(folder, 'libnode.dll'), '')
  fs.writeFileSync(path.join(folder, 'libnode.dll.a'), '!<arch>\n')
  return folder
}

/** @param {string} message */
function fail (message) {
  console.error(message)
  process.exitCode = 1
}

module.exports = { main }
