'use strict'

// `npm test`: every check that can run on this machine, each with its name and time. All steps run, also after
// one has failed; the exit code is then 1. `npm test -- standard tsc` runs only those steps.
//
// `npm test -- --long` runs the long steps too, as `.ci/run` does: clippy for the targets of other systems,
// AddressSanitizer, a minute of each fuzz target and of the soak test.
//
// A step whose program is not installed is skipped with a message. If CI_REQUIRE (names separated by commas,
// or `all`) names the program, the step fails instead.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { setUpThen } = require('./setup')
const floor = require('./test-floor.json')
const { howToGet, isInstalled, isRequired } = require('./tools')

const ROOT = path.dirname(__dirname)
const STEP_LIMIT_MS = 25 * 60_000
/**
 * The number of test files that run at a time. They mostly wait for servers, browsers and Prometheus. By default, Node.js would run
 * only one at a time on two processors.
 */
const TEST_FILES_AT_A_TIME = Math.max(2, os.availableParallelism() - 1)

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Totals
 * @typedef {{ problem?: string, skipped?: string, totals?: Totals }} Result
 */

/** @type {Record<string, () => Promise<Result>>} */
const STEPS = {
  fmt: formatting,
  standard: () => check(process.execPath, [bin('standard', 'bin/cmd.cjs')]),
  tsc: () => check(process.execPath, [bin('typescript', 'bin/tsc'), '-p', ROOT]),
  spelling: () => checkWith('typos', 'typos', []),
  unused: unusedDependencies,
  clippy,
  doc,
  deny: () => checkWith('cargo-deny', 'cargo', ['deny', '--locked', 'check', 'licenses', 'bans', 'sources']),
  rust: rustTests,
  models,
  js: jsTests
}

/** @type {Record<string, () => Promise<Result>>} */
const LONG_STEPS = {
  targets: () => checkWith('rust-targets', process.execPath, ['scripts/targets.js']),
  asan: () => check(process.execPath, ['scripts/asan.js']),
  fuzz: () => check(process.execPath, ['scripts/fuzz.js']),
  soak: () => check(process.execPath, ['scripts/soak.js'])
}

setUpThen(main)

async function main () {
  const all = { ...STEPS, ...LONG_STEPS }
  const isLong = process.argv.includes('--long')
  const requested = process.argv.slice(2).filter((name) => name !== '--long')
  const unknown = requested.filter((name) => !(name in all))
  if (unknown.length > 0) {
    console.error(`There is no step ${unknown.join(', ')}. The steps are: ${Object.keys(all).join(', ')}.`)
    process.exitCode = 1
    return
  }

  const sum = { passed: 0, failed: 0, skipped: 0 }
  const lines = []
  for (const name of requested.length > 0 ? requested : Object.keys(isLong ? all : STEPS)) {
    console.log(`\n── ${name} ──`)
    const start = performance.now()
    const { problem, skipped, totals } = await all[name]()
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const reason = problem ?? skipped
    const outcome = problem !== undefined ? 'FAILED' : skipped !== undefined ? 'skipped' : 'ok'
    lines.push(`${outcome.padEnd(9)} ${name.padEnd(9)} ${seconds.padStart(6)} s${reason === undefined ? '' : '  ' + reason}`)
    if (problem !== undefined) process.exitCode = 1
    for (const key of /** @type {(keyof typeof sum)[]} */ (Object.keys(sum))) sum[key] += totals?.[key] ?? 0
  }
  console.log(`\n${lines.join('\n')}\n`)
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  console.log(`${sum.passed} passed, ${sum.failed} failed${skipped}`)
}

/** @returns {Promise<Result>} */
async function formatting () {
  for (const folder of ['.', 'benchmark/rust', 'fuzz', 'models']) {
    const result = await check('cargo', ['fmt', '--manifest-path', `${folder}/Cargo.toml`, '--check'])
    if (result.problem !== undefined) return result
  }
  return {}
}

/** @returns {Promise<Result>} */
async function clippy () {
  const options = ['--locked', '--target-dir', path.join(ROOT, 'target')]
  // The unit tests of the modules that `models` compiles are also unit tests of the crate.
  const targets = { '.': ['--all-targets'], 'benchmark/rust': ['--all-targets'], models: ['--lib', '--tests'] }
  for (const [folder, which] of Object.entries(targets)) {
    const result = await check('cargo', ['clippy', '--manifest-path', `${folder}/Cargo.toml`, ...which, ...options, '--', '-D', 'warnings'])
    if (result.problem !== undefined) return result
  }
  return {}
}

/** @returns {Promise<Result>} */
async function unusedDependencies () {
  for (const folder of ['.', 'benchmark/rust']) {
    const result = await checkWith('cargo-shear', 'cargo', ['shear', '--locked', '--deny-warnings', folder])
    if (result.problem !== undefined || result.skipped !== undefined) return result
  }
  return {}
}

/** @returns {Promise<Result>} */
function doc () {
  const args = ['doc', '--locked', '--no-deps', '--document-private-items']
  return check('cargo', args, { RUSTDOCFLAGS: '-D warnings' })
}

/** @returns {Promise<Result>} */
function rustTests () {
  return cargoTest([], floor.rust)
}

/** @returns {Promise<Result>} */
function models () {
  const options = ['--manifest-path', 'models/Cargo.toml', '--target-dir', path.join(ROOT, 'target')]
  return cargoTest(options, floor.models)
}

/**
 * @param {string[]} options
 * @param {number} least the least number of tests
 * @returns {Promise<Result>}
 */
async function cargoTest (options, least) {
  const { problem, output } = await run('cargo', ['test', '--locked', ...options], { keepOutput: true })
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of output.matchAll(/^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    totals.passed += Number(passed)
    totals.failed += Number(failed)
    totals.skipped += Number(ignored)
  }
  return { problem: problem ?? tooFew(totals, least), totals }
}

/** @returns {Promise<Result>} */
async function jsTests () {
  const folder = path.join(ROOT, '__test__')
  // An explicit list: shells and Node.js 20 expand patterns differently, or not at all.
  const files = fs.readdirSync(folder, { recursive: true }).map(String)
    .filter((name) => name.endsWith('.test.js')).sort().map((name) => path.join('__test__', name))
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'tests-'))
  try {
    const report = path.join(scratch, 'totals.json')
    const { problem } = await run(process.execPath, [
      '--test',
      `--test-concurrency=${TEST_FILES_AT_A_TIME}`,
      '--test-reporter=spec', '--test-reporter-destination=stdout',
      `--test-reporter=${pathToFileURL(path.join(__dirname, 'test-reporter.js'))}`, `--test-reporter-destination=${report}`,
      ...files
    ])
    const text = fs.existsSync(report) ? fs.readFileSync(report, 'utf8') : ''
    if (text === '') return { problem: problem ?? 'the test runner wrote no report' }
    const { empty, ...totals } = JSON.parse(text)
    const noTests = empty.length > 0 ? `no test in ${empty.join(', ')}` : undefined
    return { problem: problem ?? noTests ?? tooFew(totals, floor.js), totals }
  } finally {
    fs.rmSync(scratch, { recursive: true })
  }
}

/**
 * Returns a problem if a run has found fewer tests than `test-floor.json` requires.
 *
 * @param {Totals} totals
 * @param {number} least
 */
function tooFew ({ passed, failed, skipped }, least) {
  const found = passed + failed + skipped
  return found < least ? `found ${found} tests; scripts/test-floor.json requires ${least}` : undefined
}

/**
 * Runs a check that needs an external program.
 *
 * @param {string} tool its name in scripts/tools.js
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<Result>}
 */
async function checkWith (tool, command, args) {
  if (isInstalled(tool)) return check(command, args)
  return isRequired(tool) ? { problem: howToGet(tool) } : { skipped: howToGet(tool) }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Result>}
 */
async function check (command, args, env) {
  const { problem } = await run(command, args, { env })
  return { problem }
}

/**
 * Runs a program to its end, without input and with a time limit.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ keepOutput?: boolean, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ problem?: string, output: string }>}
 */
function run (command, args, { keepOutput = false, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT, stdio: ['ignore', keepOutput ? 'pipe' : 'inherit', 'inherit'], env: { ...process.env, ...env }
    })
    let output = ''
    /** @type {string | undefined} */
    let problem
    const limit = setTimeout(() => {
      problem = `not finished after ${STEP_LIMIT_MS / 60_000} minutes`
      child.kill()
    }, STEP_LIMIT_MS)
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text
      process.stdout.write(text)
    })
    child.once('error', (err) => { problem = `cannot run ${command}: ${err.message}` })
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      if (code !== 0) problem ??= signal === null ? `exit code ${code}` : `ended by ${signal}`
      resolve({ problem, output })
    })
  })
}

/**
 * @param {string} name of an installed package
 * @param {string} file its program, which Node.js runs so that it works on Windows too
 */
function bin (name, file) {
  return path.join(ROOT, 'node_modules', name, file)
}
