'use strict'

// The results of `npm run platforms`, and the tables that show them.

const fs = require('node:fs')
const path = require('node:path')
const { EXCEPTIONS, OMITTED, OMITTED_ON, exceptionFor, exceptionsOf } = require('./exceptions')
const { ROOT } = require('./folders')
const { PLATFORMS } = require('./platforms')

const RESULTS = path.join(__dirname, 'results.json')

/**
 * @typedef {object} Tests
 * @property {string} node
 * @property {string} under
 * @property {number} seconds
 * @property {number} passed
 * @property {number} skipped
 * @property {string[]} excepted
 * @property {string[]} repeated files that ran a second time
 * @property {string[]} failed
 *
 * @typedef {object} Result
 * @property {string} date
 * @property {string} version of the package
 * @property {string} commit
 * @property {string} target
 * @property {string} compiler
 * @property {number} bytes
 * @property {string} needs
 * @property {Tests} [tests]
 *
 * @typedef {Record<string, Result>} Results
 */

/**
 * Returns the results. A test that failed in a run is excepted if it has a reason now.
 *
 * @returns {Results}
 */
function read () {
  /** @type {Results} */
  const results = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, 'utf8')) : {}
  return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, result.tests ? { ...result, tests: classified(name, result.tests) } : result]))
}

/**
 * @param {string} platform
 * @param {Tests} tests
 */
function classified (platform, tests) {
  const hasReason = (/** @type {string} */ entry) => {
    const [, file = '', name = ''] = /^(\S+): ([^]*)$/.exec(entry) ?? []
    return exceptionFor(name, exceptionsOf(platform, file)) !== undefined
  }
  const all = [...tests.excepted, ...tests.failed]
  return { ...tests, excepted: all.filter(hasReason), failed: all.filter((entry) => !hasReason(entry)) }
}

/**
 * Adds the results of a platform, if there are any, and writes the file.
 *
 * @param {string} [name]
 * @param {Result} [result]
 */
function record (name, result) {
  const results = { ...read(), ...name !== undefined && result !== undefined ? { [name]: result } : {} }
  const sorted = Object.fromEntries(Object.keys(PLATFORMS).filter((key) => key in results).map((key) => [key, results[key]]))
  fs.writeFileSync(RESULTS, JSON.stringify(sorted, null, 2) + '\n')
}

/** @param {string[][]} rows the first one is the head */
function table ([head, ...rows]) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/**
 * The table of the README.
 *
 * @param {Results} results
 */
function shortTable (results) {
  const rows = Object.entries(PLATFORMS).map(([name, { title, target, published }]) => {
    const { date = '', needs = '', tests = undefined } = results[name] ?? {}
    const oldest = /(?:glibc|macOS) [\d.]+$/.exec(needs)?.[0] ?? ''
    const built = date === '' ? 'no' : ['yes', oldest, published === undefined ? '' : `${abi(target)}; published: ${abi(published)}`].filter((part) => part !== '').join(', ')
    return [title, built, loaded(name, tests), outcome(tests), date]
  })
  return table([['Platform', 'Built', 'Loaded by', 'JavaScript tests', 'Date'], ...rows])
}

/** @param {string} target */
function abi (target) {
  return target.split('-').slice(2).join('-')
}

/**
 * @param {string} name
 * @param {Tests} [tests]
 */
function loaded (name, tests) {
  if (tests === undefined) return PLATFORMS[name].run === undefined ? 'cannot run there' : 'not run'
  return `Node.js ${tests.node}${tests.under === '' ? '' : `, ${tests.under}`}`
}

/** @param {Tests} [tests] */
function outcome (tests) {
  if (tests === undefined) return ''
  const { passed, excepted, failed } = tests
  return [`${passed} passed`, ...excepted.length > 0 ? [`${excepted.length} excepted`] : [], ...failed.length > 0 ? [`${failed.length} failed`] : []].join(', ')
}

/**
 * The table of docs/platforms.md.
 *
 * @param {Results} results
 */
function longTable (results) {
  const rows = Object.entries(results).map(([name, { target, compiler, bytes, needs, tests, commit }]) => [
    `\`${name}\``, `\`${target}\``, `${compiler}`, `${(bytes / 1e6).toFixed(1)} MB`, needs, loaded(name, tests),
    tests === undefined ? '' : String(tests.skipped), tests?.repeated.map((file) => `\`${file}\``).join(', ') ?? '', `\`${commit}\``
  ])
  return table([['Package', 'Target', 'Compiler', 'Size', 'Needs', 'Loaded by', 'Tests skipped', 'Files that ran twice', 'Commit'], ...rows])
}

/**
 * The lists of docs/platforms.md: files that are left out, and tests that may fail.
 *
 * @param {Results} results
 */
function exceptionTables (results) {
  const everywhere = Object.entries(OMITTED).map(([file, reason]) => ['all', `\`${file}\``, reason])
  const some = Object.entries(OMITTED_ON).flatMap(([name, files]) => Object.entries(files).map(([file, reason]) => [`\`${name}\``, `\`${file}\``, reason]))
  const excepted = Object.entries(EXCEPTIONS).flatMap(([name, exceptions]) => exceptions.map(({ file, test, reason, sometimes }) => {
    const failed = results[name]?.tests?.excepted.filter((entry) => entry.startsWith(`${file}: `) && (test?.test(entry.slice(file.length + 2)) ?? true)) ?? []
    return [`\`${name}\``, `\`${file}\``, String(failed.length), `${reason}${sometimes ? ' (fails in some runs only)' : ''}`]
  }))
  return [
    table([['Platform', 'File left out', 'Reason'], ...everywhere, ...some]),
    table([['Platform', 'File', 'Tests that failed', 'Reason'], ...excepted])
  ].join('\n\n')
}

/** Writes the tables into the documents. */
function writeTables () {
  const results = read()
  replace('README.md', 'platforms', shortTable(results))
  replace('docs/platforms.md', 'results', longTable(results))
  replace('docs/platforms.md', 'exceptions', exceptionTables(results))
}

/**
 * @param {string} document
 * @param {string} mark
 * @param {string} text
 */
function replace (document, mark, text) {
  const file = path.join(ROOT, document)
  const before = fs.readFileSync(file, 'utf8')
  const after = before.replace(new RegExp(`(<!-- ${mark} -->\n)[^]*?(<!-- /${mark} -->)`), (_, begin, end) => `${begin}${text}\n${end}`)
  if (!after.includes(`<!-- ${mark} -->\n${text}\n`)) throw new Error(`${document} has no <!-- ${mark} -->`)
  fs.writeFileSync(file, after)
}

module.exports = { classified, exceptionTables, longTable, read, record, shortTable, writeTables }
