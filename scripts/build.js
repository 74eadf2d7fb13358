'use strict'

// `npm run build [-- --target TRIPLE] [-x]`: the release addon and its types. `-x` links with zig (cargo-zigbuild), also
// against an older glibc: `--target x86_64-unknown-linux-gnu.2.17`. The same source gives the same binary in each folder
// and for each user; `npm run reproduce` checks it. `napi build` would build a Rust library too: see lib/compile.js.
//
// With the program cargo-auditable the binary contains the list of its crates, which scanners for known
// vulnerabilities read. The release requires it (AUDITABLE=1).

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { generateTypeDef, parseTriple } = require('@napi-rs/cli')
const { compile, targetTriple } = require('../lib/compile')
const manifest = require('../package.json')

const ROOT = path.dirname(__dirname)
const TYPES = path.join(ROOT, 'binding.d.ts')
/**
 * The highest cost of a function that is inlined, and of one with `#[inline]`. The defaults are 225 and 325. The lower values
 * make the addon 10 % smaller. `npx hypertrace-prometheus build` does not set them: the compiler of rust-toolchain.toml has
 * these options, another one may not.
 */
const INLINE = ['--', '-Cllvm-args=-inline-threshold=50', '-Cllvm-args=-inlinehint-threshold=100']

async function main () {
  const { values } = parseArgs({ options: { target: { type: 'string' }, 'cross-compile': { type: 'boolean', short: 'x' } } })
  const triple = values.target ?? targetTriple()
  const [target] = triple.split('.')
  const types = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'), 'types', target)
  const isFirst = !fs.existsSync(path.join(types, manifest.name))
  fs.mkdirSync(types, { recursive: true })
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, CARGO_BUILD_TARGET: target, NAPI_TYPE_DEF_TMP_FOLDER: types }
  // Another value makes cargo run napi's macro, which writes the types, although the library is up to date.
  if (isFirst) env.NAPI_FORCE_BUILD_HYPERTRACE_PROMETHEUS = String(Date.now())
  if (env.AUDITABLE === '1') {
    // `cargo auditable` sets these variables for the cargo that it starts. Here this script starts cargo.
    env.RUSTC_WORKSPACE_WRAPPER = 'cargo-auditable'
    env.CARGO_AUDITABLE_ORIG_ARGS = JSON.stringify({ offline: false, locked: true, frozen: false, config: [] })
  }
  const library = values['cross-compile']
    ? compile({ env, program: 'cargo-zigbuild', more: ['--target', triple, ...INLINE] })
    : compile({ env, more: INLINE })
  if (library === undefined) {
    process.exitCode = 1
    return
  }
  const { dts } = await generateTypeDef({ typeDefDir: types, cwd: ROOT })
  fs.writeFileSync(TYPES, dts)
  replace(library, path.join(ROOT, `hypertrace-prometheus.${parseTriple(target).platformArchABI}.node`))
}

/**
 * Copies a file. A process that uses the old one still has it.
 *
 * @param {string} from
 * @param {string} to
 */
function replace (from, to) {
  const temporary = `${to}.new`
  fs.copyFileSync(from, temporary)
  fs.renameSync(temporary, to)
}

main()
