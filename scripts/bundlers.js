'use strict'

// The bundlers and package managers that the tests use with this package. Each has a fixed version, so that every run tests
// the same versions. `node scripts/bundlers.js` installs them (about 580 MB) into target/bundlers, where the tests look for
// them.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const FOLDER = path.join(path.dirname(__dirname), 'target', 'bundlers')
const MODULES = path.join(FOLDER, 'node_modules')
const BIN = path.join(MODULES, '.bin')

/** @type {Record<string, string>} */
const BUNDLERS = {
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-node-resolve': '16.0.3',
  '@vercel/ncc': '0.45.0',
  '@yarnpkg/cli-dist': '4.18.1',
  'bare-pack': '2.2.1',
  'electron-forge-plugin-prune-prebuilds': '1.0.1',
  'electron-forge-plugin-universal-prebuilds': '1.0.0',
  esbuild: '0.28.2',
  localdrive: '2.2.1', // gives pear-pack the files to pack
  next: '16.4.6',
  'node-loader': '2.1.0',
  'pear-pack': '1.1.3',
  pnpm: '12.4.2',
  postject: '1.0.0-alpha.6',
  react: '19.3.1',
  'react-dom': '19.3.1',
  rollup: '4.68.8',
  vite: '8.3.8',
  webpack: '5.113.0',
  'webpack-cli': '6.0.1'
}

/** The plugins of Electron Forge require version 3 of @electron/rebuild, which has a dependency that is not on npm. */
const OVERRIDES = { '@electron/rebuild': '4.2.1' }

/** Returns whether every bundler is installed at its version. */
function hasBundlers () {
  return Object.entries(BUNDLERS).every(([name, version]) => versionOf(name) === version)
}

/** @param {string} name */
function versionOf (name) {
  const file = path.join(MODULES, name, 'package.json')
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined
}

function install () {
  if (hasBundlers()) return 0
  fs.mkdirSync(FOLDER, { recursive: true })
  const manifest = { private: true, dependencies: BUNDLERS, overrides: OVERRIDES }
  fs.writeFileSync(path.join(FOLDER, 'package.json'), JSON.stringify(manifest, null, 2) + '\n')
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit', shell: process.platform === 'win32' })
  return status ?? 1
}

module.exports = { BIN, BUNDLERS, FOLDER, MODULES, hasBundlers }

if (require.main === module) process.exitCode = install()
