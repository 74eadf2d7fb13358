'use strict'

/*
 * Packs the package as it is published, and installs it in an empty project, where it cannot use files of the checkout.
 */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { pack, stageThisPlatform } = require('../../scripts/pack')

const ROOT = path.join(__dirname, '..', '..')

/**
 * @returns {{ folder: string, tarballs: import('../../scripts/pack').Tarballs, remove: () => void }}
 */
function packThisPlatform () {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'packed-')))
  const tarballs = pack(folder, stageThisPlatform(path.join(folder, 'npm')))
  return { folder, tarballs, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}

/**
 * Installs tarballs, and hypertrace from the checkout, without a registry.
 *
 * @param {string} folder of the new project
 * @param {import('../../scripts/pack').Tarball[]} tarballs
 */
function installPacked (folder, tarballs) {
  fs.mkdirSync(folder)
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "name": "application", "private": true }\n')
  const packed = JSON.parse(npm(path.join(ROOT, 'node_modules', 'hypertrace'), 'pack', '--ignore-scripts', '--json', '--pack-destination', folder))
  const [{ filename }] = /** @type {any[]} */ (Object.values(packed))
  npm(folder, 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', filename, ...tarballs.map(({ file }) => file))
}

/**
 * @param {string} cwd
 * @param {string[]} args
 */
function npm (cwd, ...args) {
  return execFileSync('npm', args, {
    cwd, encoding: 'utf8', timeout: 120_000, shell: process.platform === 'win32', stdio: ['ignore', 'pipe', 'pipe']
  })
}

module.exports = { npm, packThisPlatform, installPacked }
