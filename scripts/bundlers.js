'use strict'

// The bundlers that an application with this package is bundled with, each at a fixed version, so that every
// run tests the same ones. `node scripts/bundlers.js` installs them (about 450 MB) into target/bundlers, where
// the tests look for them.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const FOLDER = path.join(path.dirname(__dirname), 'target', 'bundlers')
const BIN = path.join(FOLDER, 'node_modules', '.bin')

/** @type {Record<string, string>} */
const BUNDLERS = {
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-node-resolve': '16.0.3',
  '@vercel/ncc': '0.45.0',
  esbuild: '0.28.2',
  next: '16.4.6',
  'node-loader': '2.1.0',
  react: '19.3.1',
  'react-dom': '19.3.1',
  rollup: '4.68.8',
  vite: '8.3.8',
  webpack: '5.113.0',
  'webpack-cli': '6.0.1'
}

/** Returns whether every bundler is installed at its version. */
function hasBundlers () {
  return Object.entries(BUNDLERS).every(([name, version]) => versionOf(name) === version)
}

/** @param {string} name */
function versionOf (name) {
  const file = path.join(FOLDER, 'node_modules', name, 'package.json')
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined
}

function install () {
  if (hasBundlers()) return 0
  fs.mkdirSync(FOLDER, { recursive: true })
  fs.writeFileSync(path.join(FOLDER, 'package.json'), JSON.stringify({ private: true, dependencies: BUNDLERS }, null, 2) + '\n')
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit', shell: process.platform === 'win32' })
  return status ?? 1
}

module.exports = { BIN, BUNDLERS, FOLDER, hasBundlers }

if (require.main === module) process.exitCode = install()
