'use strict'

// The step that `npm start` and `npm test` begin with: installs the dependencies and builds the
// addon, each only if it is missing or older than what it is made of. Needs nothing installed.

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const NEEDED_NODE = 20
const RUST_SOURCES = ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs']

/** A failure whose message is all that there is to say. */
class SetupError extends Error {}

/**
 * @returns {Promise<void>} rejects with a SetupError if something is missing or a step failed
 */
async function setUp () {
  if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE) {
    throw new SetupError(`Node.js ${NEEDED_NODE} or newer is needed; this is ${process.version}.`)
  }
  const mustBuild = isBinaryStale()
  if (mustBuild) requireCargo()
  if (areModulesStale()) await npm('Installing the dependencies', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
  if (mustBuild) await npm('Building the addon, which takes a few minutes the first time', 'run', 'build')
}

function areModulesStale () {
  // Written by npm at the end of an installation.
  return modified('node_modules/.package-lock.json') < modified('package-lock.json')
}

function isBinaryStale () {
  const start = `hypertrace-prometheus.${process.platform}-${process.arch}`
  const binary = fs.readdirSync(ROOT).find(name => name.startsWith(start) && name.endsWith('.node'))
  if (binary === undefined || modified('binding.js') === 0) return true
  return modified(binary) < Math.max(...RUST_SOURCES.map(newest))
}

/** When a file was changed last, in milliseconds; 0 if it is not there. */
function modified (name) {
  const stats = fs.statSync(path.join(ROOT, name), { throwIfNoEntry: false })
  return stats === undefined ? 0 : stats.mtimeMs
}

/** When a file, or anything in a folder, was changed last. A folder itself changes when a file goes. */
function newest (name) {
  const full = path.join(ROOT, name)
  if (!fs.existsSync(full)) return 0
  const inside = fs.statSync(full).isDirectory() ? fs.readdirSync(full, { recursive: true }) : []
  return Math.max(modified(name), ...inside.map(file => modified(path.join(name, String(file)))))
}

function requireCargo () {
  const { error } = spawnSync('cargo', ['--version'])
  if (error === undefined) return
  throw new SetupError([
    'The addon is written in Rust, and its compiler was not found (cargo).',
    'Install it with rustup, https://rustup.rs, open a new terminal and try again.'
  ].join('\n'))
}

/** Runs npm and hands signals on to it, so that Ctrl-C ends it too. */
async function npm (title, ...args) {
  console.error(`${title} …`)
  // npm says where it is to the scripts that it runs.
  const script = process.env.npm_execpath
  const [command, ...first] = script ? [process.execPath, script] : ['npm']
  const child = spawn(command, [...first, ...args], { cwd: ROOT, stdio: ['inherit', 2, 2] })
  const pass = signal => { child.kill(signal) }
  process.on('SIGINT', pass).on('SIGTERM', pass)
  try {
    const { code, signal } = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    if (signal !== null) process.exit(128 + os.constants.signals[signal])
    if (code !== 0) throw new SetupError(`npm ${args[0] === 'run' ? args.join(' ') : args[0]} failed.`)
  } finally {
    process.off('SIGINT', pass).off('SIGTERM', pass)
  }
}

/** Sets up, then runs `next`; a failure of the set-up is told in its own words. */
async function setUpThen (next) {
  try {
    await setUp()
  } catch (err) {
    if (!(err instanceof SetupError)) throw err
    console.error(err.message)
    process.exitCode = 1
    return
  }
  return next()
}

module.exports = { setUp, setUpThen, SetupError }

if (require.main === module) setUpThen(() => {})
