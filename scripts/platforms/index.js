'use strict'

// `npm run platforms`: builds the binary of every platform on Debian 12 (x64), checks what it links, and runs the
// JavaScript tests with it in Node.js of that platform, where it can be run here. Compilers, runtimes and binaries
// are in target/platforms (6 GB). Writes scripts/platforms/results.json, and from it the tables of README.md and
// docs/platforms.md.
//
//   npm run platforms -- win32-x64-msvc linux-arm64-gnu   these only
//   npm run platforms -- --core linux-arm64-gnu           the tests of a release only; writes no results
//   npm run platforms -- --build                          no tests; writes no results
//   npm run platforms -- --tables                         the tables, after a change of exceptions.js

const fs = require('node:fs')
const { execFileSync } = require('node:child_process')
const { version } = require('../../package.json')
const { TESTS } = require('../release')
const { describe, faults, inspect } = require('./binary')
const { build } = require('./build')
const { ROOT, say } = require('./folders')
const { PLATFORMS } = require('./platforms')
const { record, writeTables } = require('./report')
const { prepare } = require('./runtimes')
const { runSuite } = require('./suite')

/** The files of `TESTS` that do not pack the package, which needs npm. */
const CORE = TESTS.filter((file) => file !== 'runtimes.test.js')

/** The commit at the start of the run. */
const commit = execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim()

async function main () {
  const args = process.argv.slice(2)
  const flags = args.filter((arg) => arg.startsWith('--'))
  const names = args.filter((arg) => !arg.startsWith('--'))
  const wrong = [...flags.filter((flag) => !['--core', '--build', '--tables'].includes(flag)), ...names.filter((name) => !(name in PLATFORMS))]
  if (wrong.length > 0) throw new Error(`${wrong.join(', ')}: unknown. The platforms are ${Object.keys(PLATFORMS).join(', ')}; the options are --core, --build and --tables.`)
  if (flags.includes('--tables')) {
    record()
    return writeTables()
  }
  let failed = 0
  for (const name of names.length > 0 ? names : Object.keys(PLATFORMS)) {
    try {
      failed += await runPlatform(name, flags)
    } catch (error) {
      failed++
      say(`${name}: ${error.message}`)
    }
  }
  if (failed > 0) process.exitCode = 1
  say(failed === 0 ? 'no failure' : `${failed} failures`)
}

/**
 * @param {string} name
 * @param {string[]} flags
 * @returns {Promise<number>} failures
 */
async function runPlatform (name, flags) {
  const built = build(name)
  const binary = inspect(fs.readFileSync(built.file))
  say(`${name}: ${built.bytes} bytes, needs ${describe(binary)}`)
  const found = faults(binary, name)
  for (const fault of found) say(`${name}: ${fault}`)
  const { run } = PLATFORMS[name]
  if (flags.includes('--build')) return found.length
  if (run === undefined) {
    if (!flags.includes('--core')) save(name, built, binary)
    return found.length
  }
  const runtime = prepare(run)
  const isCore = flags.includes('--core')
  // The results of the tests with an older binary are not those of this one.
  if (!isCore) save(name, built, binary)
  const results = await runSuite(name, runtime, built.file, isCore ? CORE : undefined)
  const { passed, skipped, excepted, failures, unneeded, repeated, seconds } = results
  const failed = failures.map(({ file, name }) => `${file}: ${name}`)
  say(`${name}: ${passed} passed, ${skipped} skipped, ${excepted.length} excepted, ${failures.length} failed, in ${seconds} s`)
  for (const exception of isCore ? [] : unneeded) say(`${name}: this exception was not needed: ${exception}`)
  if (!isCore) save(name, built, binary, { node: runtime.node, under: runtime.under, seconds, passed, skipped, excepted, repeated, failed })
  return found.length + failures.length
}

/**
 * @param {string} name
 * @param {import('./build').Built} built
 * @param {import('./binary').Binary} binary
 * @param {import('./report').Tests} [tests]
 */
function save (name, built, binary, tests) {
  const date = new Date().toISOString().slice(0, 10)
  record(name, { date, version, commit, target: PLATFORMS[name].target, compiler: built.compiler.split(' ').slice(0, 2).join(' '), bytes: built.bytes, needs: describe(binary), tests })
  writeTables()
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
