'use strict'

// PM2, at a fixed version, so that every run tests the same version. `node scripts/pm2.js` installs it (25 MB)
// into target/pm2, where the tests look for it.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const FOLDER = path.join(path.dirname(__dirname), 'target', 'pm2')
const PM2 = path.join(FOLDER, 'node_modules', 'pm2', 'bin', 'pm2')
const VERSION = '7.0.4'

/** Returns whether PM2 is installed at its version. */
function hasPm2 () {
  const file = path.join(FOLDER, 'node_modules', 'pm2', 'package.json')
  return fs.existsSync(file) && JSON.parse(fs.readFileSync(file, 'utf8')).version === VERSION
}

function install () {
  if (hasPm2()) return 0
  fs.mkdirSync(FOLDER, { recursive: true })
  fs.writeFileSync(path.join(FOLDER, 'package.json'), JSON.stringify({ private: true, dependencies: { pm2: VERSION } }, null, 2) + '\n')
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit', shell: process.platform === 'win32' })
  return status ?? 1
}

module.exports = { PM2, hasPm2 }

if (require.main === module) process.exitCode = install()
