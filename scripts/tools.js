'use strict'

// External programs that some checks need. If a program is missing, its check is skipped with a message that says how to
// install the program. If the environment variable CI_REQUIRE names the program (names separated by commas, or `all`), the
// check fails instead.

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { hasBundlers } = require('./bundlers')
const { hasEcosystem } = require('./ecosystem')
const { hasPm2 } = require('./pm2')
const { RUNTIMES, findRuntime } = require('./runtimes')

/** The programs that `.ci/run` unpacks. */
const UNPACKED_BIN = path.join(path.dirname(__dirname), 'target', 'prometheus-sid', 'usr', 'bin')
/** The folder of Prometheus 3: the variable PROMETHEUS3_BIN, or else the folder of the unpacked programs. */
const PROMETHEUS3_BIN = process.env.PROMETHEUS3_BIN ?? UNPACKED_BIN
const GET_PROMETHEUS3 = 'unpack a release of Prometheus 3 and set PROMETHEUS3_BIN to its folder'

/** @type {Record<string, { probe: string[], get: string }>} */
const TOOLS = {
  'cargo-deny': { probe: ['cargo', 'deny', '--version'], get: 'cargo install --locked cargo-deny' },
  'cargo-shear': { probe: ['cargo', 'shear', '--version'], get: 'cargo install --locked cargo-shear' },
  'rust-targets': {
    probe: [process.execPath, path.join(__dirname, 'targets.js'), '--installed'],
    get: 'rustup target add $(node scripts/targets.js --list)'
  },
  typos: { probe: ['typos', '--version'], get: 'cargo install --locked typos-cli, or pipx install typos' },
  openssl: {
    probe: ['openssl', 'req', '-help', '-CAkey', 'x'], // LibreSSL and OpenSSL before 3.0 do not have this option
    get: 'apt-get install openssl, or brew install openssl@3 and put it first in PATH'
  },
  prometheus: { probe: ['prometheus', '--version'], get: 'apt-get install prometheus, or brew install prometheus' },
  promtool: { probe: ['promtool', '--version'], get: 'it comes with prometheus' },
  prometheus3: { probe: [path.join(PROMETHEUS3_BIN, 'prometheus'), '--version'], get: GET_PROMETHEUS3 },
  promtool3: { probe: [path.join(PROMETHEUS3_BIN, 'promtool'), '--version'], get: GET_PROMETHEUS3 },
  'victoria-metrics': unpacked('victoria-metrics'),
  vmagent: unpacked('vmagent'),
  pushgateway: unpacked('prometheus-pushgateway'),
  python3: { probe: ['python3', '--version'], get: 'apt-get install python3, or brew install python' },
  'prometheus-client': {
    probe: ['python3', '-c', 'import prometheus_client'],
    get: 'python3 -m pip install prometheus-client, in an active virtual environment'
  },
  cyclonedx: {
    probe: ['python3', '-c', 'import cyclonedx.validation.json, jsonschema'],
    get: "python3 -m pip install 'cyclonedx-python-lib[json-validation]', in an active virtual environment"
  },
  gzip: { probe: ['gzip', '--version'], get: 'it comes with the system' },
  chromium: { probe: ['chromium', '--version'], get: 'apt-get install chromium' },
  zizmor: { probe: ['zizmor', '--version'], get: 'pipx install zizmor' },
  valgrind: { probe: ['valgrind', '--version'], get: 'apt-get install valgrind' }
}

/**
 * @param {string} program
 * @returns {{ probe: string[], get: string }}
 */
function unpacked (program) {
  return { probe: [path.join(UNPACKED_BIN, program), '--version'], get: 'on Debian, .ci/run unpacks it' }
}

/** @param {string} name of TOOLS or RUNTIMES, `bundlers`, `ecosystem` or `pm2` */
function isInstalled (name) {
  if (name in RUNTIMES) return findRuntime(name) !== undefined
  if (name === 'bundlers') return hasBundlers()
  if (name === 'ecosystem') return hasEcosystem()
  if (name === 'pm2') return hasPm2()
  const [command, ...args] = TOOLS[name].probe
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/**
 * The command that runs a tool.
 *
 * @param {string} name of TOOLS
 */
function commandOf (name) {
  return TOOLS[name].probe[0]
}

/** @param {string} name */
function isRequired (name) {
  const names = (process.env.CI_REQUIRE ?? '').split(',').map((entry) => entry.trim())
  return names.includes(name) || names.includes('all')
}

/** @param {string} name */
function howToGet (name) {
  return `${name} is not installed: ${installCommand(name)}`
}

/** @param {string} name */
function installCommand (name) {
  if (['bundlers', 'ecosystem', 'pm2'].includes(name)) return `node scripts/${name}.js`
  return name in RUNTIMES ? 'node scripts/runtimes.js' : TOOLS[name].get
}

module.exports = { commandOf, howToGet, isInstalled, isRequired }
