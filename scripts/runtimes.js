'use strict'

// The runtimes that the packed package is tested on, each with the npm package that has it as a plain binary
// and a fixed version, so that every run tests the same versions. `node scripts/runtimes.js` installs them (about
// 1 GB) into target/runtimes, where the tests look for them.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const FOLDER = path.join(ROOT, 'target', 'runtimes')

const { platform, arch } = process
const exe = platform === 'win32' ? '.exe' : ''
const nodePlatform = `${platform === 'win32' ? 'win' : platform}-${arch}`
const bunPlatform = `${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`
const denoPlatform = `${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`

/** @type {Record<string, { package: string, version: string, file: string }>} */
const RUNTIMES = {
  node20: node('20.20.2'),
  node22: node('22.23.3'),
  node24: node('24.21.0'),
  node26: node('26.10.0'),
  bun: { package: `@oven/bun-${bunPlatform}`, version: '1.4.5', file: `bin/bun${exe}` },
  deno: { package: `@deno/${denoPlatform}`, version: '2.9.6', file: `deno${exe}` },
  bare: { package: `bare-runtime-${platform}-${arch}`, version: '1.31.0', file: `bin/bare${exe}` },
  // Standard streams for Bare. The tests pass this module to the application, not to the addon.
  'bare-process': { package: 'bare-process', version: '4.5.1', file: 'index.js' }
}

/** @param {string} version */
function node (version) {
  return { package: `node-${nodePlatform}`, version, file: `bin/node${exe}` }
}

/**
 * Returns the program of a runtime, or `undefined` if the runtime is not installed. The Node.js that runs this script
 * is used for its own major version.
 *
 * @param {string} name
 */
function findRuntime (name) {
  if (isThisNode(name)) return process.execPath
  const file = path.join(FOLDER, 'node_modules', name, RUNTIMES[name].file)
  return fs.existsSync(file) ? file : undefined
}

/** @param {string} name */
function isThisNode (name) {
  return name === `node${process.versions.node.split('.')[0]}`
}

function install () {
  const names = Object.keys(RUNTIMES)
  if (names.every((name) => findRuntime(name) !== undefined)) return 0
  const dependencies = Object.fromEntries(names.filter((name) => !isThisNode(name))
    .map((name) => [name, `npm:${RUNTIMES[name].package}@${RUNTIMES[name].version}`]))
  fs.mkdirSync(FOLDER, { recursive: true })
  fs.writeFileSync(path.join(FOLDER, 'package.json'), JSON.stringify({ private: true, dependencies }, null, 2) + '\n')
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit', shell: platform === 'win32' })
  return status ?? 1
}

module.exports = { RUNTIMES, findRuntime }

if (require.main === module) process.exitCode = install()
