'use strict'

// Runs the JavaScript tests with the binary and the Node.js of a platform.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { checkOut } = require('./checkout')
const { exceptionFor, exceptionsOf, omitted } = require('./exceptions')
const { ROOT, say } = require('./folders')

const FILE_LIMIT_MS = 10 * 60_000
const MESSAGE_LENGTH = 300
const REPORT = 'target/report.json' // relative, so that each system finds it

/**
 * @typedef {import('./runtimes').Runtime} Runtime
 * @typedef {import('./exceptions').Exception} Exception
 * @typedef {{ file: string, name: string, outcome: 'pass' | 'fail' | 'skipped', message?: string }} Outcome
 * @typedef {{ passed: number, skipped: number, excepted: string[], failures: Outcome[], unneeded: string[], repeated: string[], seconds: number }} Results
 */

/**
 * @param {string} platform
 * @param {Runtime} runtime
 * @param {string} binary
 * @param {string[]} [only] the test files to run; absent: all files
 * @returns {Promise<Results>}
 */
async function runSuite (platform, runtime, binary, only) {
  const checkout = checkOut(platform)
  fs.copyFileSync(binary, path.join(checkout, path.basename(binary)))
  const start = performance.now()
  /** @type {Results} */
  const results = { passed: 0, skipped: 0, excepted: [], failures: [], unneeded: [], repeated: [], seconds: 0 }
  for (const file of testFiles(platform, only)) {
    const exceptions = exceptionsOf(platform, file)
    let outcomes = await runFile(runtime, checkout, file)
    if (runtime.under !== '' && failuresOf(outcomes, exceptions).length > 0) {
      // An emulator is slow, and has faults of its own. So a file with failures runs a second time.
      results.repeated.push(file)
      say(`${platform}: ${file}: a second run, after ${list(failuresOf(outcomes, exceptions))}`)
      outcomes = await runFile(runtime, checkout, file)
    }
    const failures = failuresOf(outcomes, exceptions)
    add(results, outcomes, exceptions)
    say(`${platform}: ${file}: ${outcomes.length} tests`)
    if (failures.length > 0) say(`${platform}: ${file}: failed: ${list(failures)}`)
  }
  runtime.end?.()
  results.seconds = Math.round((performance.now() - start) / 1000)
  return results
}

/**
 * Returns the test files that run on a platform.
 *
 * @param {string} platform
 * @param {string[]} [only]
 */
function testFiles (platform, only) {
  const all = fs.readdirSync(path.join(ROOT, '__test__')).filter((name) => name.endsWith('.test.js'))
  return (only ?? all).filter((name) => omitted(platform, name) === undefined).sort()
}

/** @param {Outcome[]} failures */
function list (failures) {
  return failures.map(({ name, message = '' }) => `\n  ${name}\n    ${message.trim().slice(0, MESSAGE_LENGTH).replaceAll('\n', '\n    ')}`).join('')
}

/**
 * Returns the failures without an exception.
 *
 * @param {Outcome[]} outcomes
 * @param {Exception[]} exceptions
 */
function failuresOf (outcomes, exceptions) {
  return outcomes.filter((one) => one.outcome === 'fail' && exceptionFor(one.name, exceptions) === undefined)
}

/**
 * Adds the outcomes of a file.
 *
 * @param {Results} results
 * @param {Outcome[]} outcomes
 * @param {Exception[]} exceptions
 */
function add (results, outcomes, exceptions) {
  const failed = outcomes.filter(({ outcome }) => outcome === 'fail')
  const excepted = failed.filter((one) => exceptionFor(one.name, exceptions) !== undefined)
  const used = new Set(excepted.map((one) => exceptionFor(one.name, exceptions)))
  results.passed += outcomes.filter(({ outcome }) => outcome === 'pass').length
  results.skipped += outcomes.filter(({ outcome }) => outcome === 'skipped').length
  results.excepted.push(...excepted.map(({ file, name }) => `${file}: ${name}`))
  results.failures.push(...failuresOf(outcomes, exceptions))
  results.unneeded.push(...exceptions.filter((one) => !one.sometimes && !used.has(one)).map(({ file, test }) => `${file}: ${test ?? 'all'}`))
}

/**
 * @param {Runtime} runtime
 * @param {string} checkout
 * @param {string} file
 * @returns {Promise<Outcome[]>}
 */
async function runFile ({ command, env, end }, checkout, file) {
  const report = path.join(checkout, REPORT)
  const log = path.join(checkout, 'target', `${file}.log`)
  fs.rmSync(report, { force: true })
  const output = fs.openSync(log, 'w')
  const args = ['--test-reporter=./scripts/platforms/reporter.js', `--test-reporter-destination=${REPORT}`, `__test__/${file}`]
  const child = spawn(command, args, { cwd: checkout, env, stdio: ['ignore', output, output] })
  let problem = ''
  const limit = setTimeout(() => {
    problem = `not finished after ${FILE_LIMIT_MS / 60_000} minutes`
    child.kill('SIGKILL')
  }, FILE_LIMIT_MS)
  const [code, signal] = await once(child, 'close')
  clearTimeout(limit)
  fs.closeSync(output)
  if (problem !== '') end?.()
  const lines = fs.existsSync(report) ? fs.readFileSync(report, 'utf8').split('\n').filter((line) => line !== '') : []
  /** @type {Outcome[]} */
  const outcomes = lines.map((line) => ({ file, ...JSON.parse(line) }))
  if (code !== 0 && !outcomes.some(({ outcome }) => outcome === 'fail')) problem ||= `ended with ${signal ?? `exit code ${code}`}; its output is in ${log}`
  if (outcomes.length === 0) problem ||= 'no test was found'
  if (problem !== '') outcomes.push({ file, name: '(the file)', outcome: 'fail', message: problem })
  return outcomes
}

module.exports = { runSuite, testFiles }
