'use strict'

// The first step of `npm start` and `npm test`: installs the dependencies and builds the addon, each only
// if it is missing or older than its inputs. Uses no installed package.

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const MINIMUM_NODE = 20

// Inputs and outputs of `npm run build`.
const RUST_SOURCES = ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'rust-toolchain.toml']
const TYPES = 'binding.d.ts'
const BINARY_PREFIX = `hypertrace-prometheus.${process.platform}-${process.arch}`

/** An expected failure. Its message is shown without a stack. */
class SetupError extends Error {}

/**
 * Installs the dependencies and builds the addon, each only if it is missing or stale.
 *
 * @returns {Promise<void>} rejects with a SetupError if a requirement is missing or a step fails
 */
async function setUp () {
  if (Number(process.versions.node.split('.')[0]) < MINIMUM_NODE) {
    throw new SetupError(`Node.js ${MINIMUM_NODE} or newer is required; this is ${process.version}.`)
  }
  const mustBuild = isBuildStale()
  if (mustBuild) requireCargo()
  if (areModulesStale()) await npm('Installing the dependencies', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
  if (mustBuild) await npm('Building the addon, which takes a few minutes the first time', 'run', 'build')
}

function areModulesStale () {
  // npm writes this file at the end of an installation.
  return modified('node_modules/.package-lock.json') < modified('package-lock.json')
}

function isBuildStale () {
  const binary = fs.readdirSync(ROOT).find(name => name.startsWith(BINARY_PREFIX) && name.endsWith('.node'))
  if (binary === undefined || modified(TYPES) === 0) return true
  return modified(binary) < Math.max(...RUST_SOURCES.map(newest))
}

/**
 * Modification time in milliseconds; 0 if the file does not exist.
 *
 * @param {string} name
 */
function modified (name) {
  const stats = fs.statSync(path.join(ROOT, name), { throwIfNoEntry: false })
  return stats === undefined ? 0 : stats.mtimeMs
}

/**
 * Newest modification time of a file or of a folder and its content. Removing a file modifies its folder.
 *
 * @param {string} name
 */
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
    'The addon is written in Rust, and the Rust compiler (cargo) was not found.',
    'Install it with rustup (https://rustup.rs), open a new terminal and try again.'
  ].join('\n'))
}

/**
 * Runs npm, and passes signals on to it so that Ctrl-C ends it too.
 *
 * @param {string} title
 * @param {string[]} args
 */
async function npm (title, ...args) {
  console.error(`${title} …`)
  // npm sets this variable for the scripts that it runs.
  const script = process.env.npm_execpath
  const [command, ...first] = script ? [process.execPath, script] : ['npm']
  const child = spawn(command, [...first, ...args], { cwd: ROOT, stdio: ['inherit', 2, 2] })
  /** @param {NodeJS.Signals} signal */
  const forward = signal => { child.kill(signal) }
  process.on('SIGINT', forward).on('SIGTERM', forward)
  try {
    /** @type {{ code: number | null, signal: NodeJS.Signals | null }} */
    const { code, signal } = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    if (signal !== null) process.exit(128 + os.constants.signals[signal])
    if (code !== 0) throw new SetupError(`npm ${args[0] === 'run' ? args.join(' ') : args[0]} failed.`)
  } finally {
    process.off('SIGINT', forward).off('SIGTERM', forward)
  }
}

/**
 * Sets up, then runs `next`. Prints the message of a SetupError and sets the exit code.
 *
 * @param {() => unknown} next
 */
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
