'use strict'

/*
 * Programs that a check needs and a machine may lack. Such a check is skipped with a word on how to
 * get the program; where CI_REQUIRE names it (names with commas between, or `all`), it fails.
 */

const { spawnSync } = require('node:child_process')
const { RUNTIMES, findRuntime } = require('../../scripts/runtimes')

/** @type {Record<string, { probe: string[], get: string }>} */
const TOOLS = {
  'cargo-deny': { probe: ['cargo', 'deny', '--version'], get: 'cargo install --locked cargo-deny' },
  openssl: {
    probe: ['openssl', 'req', '-help', '-CAkey', 'x'], // LibreSSL, and OpenSSL before 3.0, have no such option
    get: 'apt-get install openssl, or brew install openssl@3, and have it first in PATH'
  },
  prometheus: { probe: ['prometheus', '--version'], get: 'apt-get install prometheus, or brew install prometheus' },
  promtool: { probe: ['promtool', '--version'], get: 'it comes with prometheus' },
  python3: { probe: ['python3', '--version'], get: 'apt-get install python3, or brew install python' },
  'prometheus-client': {
    probe: ['python3', '-c', 'import prometheus_client'],
    get: 'python3 -m pip install prometheus-client, in a virtual environment that is active'
  },
  gzip: { probe: ['gzip', '--version'], get: 'it comes with the system' },
  chromium: { probe: ['chromium', '--version'], get: 'apt-get install chromium' },
  zizmor: { probe: ['zizmor', '--version'], get: 'pipx install zizmor' },
  valgrind: { probe: ['valgrind', '--version'], get: 'apt-get install valgrind' }
}

/** @param {string} name */
function isRequired (name) {
  const names = (process.env.CI_REQUIRE ?? '').split(',').map((entry) => entry.trim())
  return names.includes(name) || names.includes('all')
}

/** @param {string} name */
function howToGet (name) {
  return `${name} is not installed: ${name in RUNTIMES ? 'node scripts/runtimes.js' : TOOLS[name].get}`
}

/**
 * The `skip` option of a test that needs a program: `test('…', { skip: lacks('prometheus') }, …)`.
 * Throws where the program is missing and required.
 *
 * @param {string} name of TOOLS or RUNTIMES
 * @returns {string | false}
 */
function lacks (name) {
  if (isThere(name)) return false
  if (isRequired(name)) throw new Error(`CI_REQUIRE asks for ${howToGet(name)}`)
  return howToGet(name)
}

/** @param {string} name */
function isThere (name) {
  if (name in RUNTIMES) return findRuntime(name) !== undefined
  const [command, ...args] = TOOLS[name].probe
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

module.exports = { howToGet, isRequired, lacks }
