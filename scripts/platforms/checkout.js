'use strict'

// Copies of the checkout, in which the binary of another platform is beside index.js.

const fs = require('node:fs')
const path = require('node:path')
const { FOLDER, ROOT, run } = require('./folders')

/** Programs for the tests that the checkout has in target/. */
const PROGRAMS = ['prometheus-sid']

/**
 * Returns the existing files that git has or would add.
 *
 * @param {string[]} [paths]
 */
function sources (paths = []) {
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths])
  return [...new Set(listed.split('\0'))].filter((file) => file !== '' && fs.existsSync(path.join(ROOT, file))).sort()
}

/**
 * Copies the sources of the checkout, without a binary, into a new folder and returns it.
 *
 * @param {string} name
 */
function checkOut (name) {
  const folder = path.join(FOLDER, 'checkouts', name)
  fs.rmSync(folder, { recursive: true, force: true })
  for (const file of sources()) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.copyFileSync(path.join(ROOT, file), path.join(folder, file))
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  fs.mkdirSync(path.join(folder, 'target'))
  for (const program of PROGRAMS) {
    const installed = path.join(ROOT, 'target', program)
    if (fs.existsSync(installed)) fs.symlinkSync(fs.realpathSync(installed), path.join(folder, 'target', program))
  }
  return folder
}

module.exports = { checkOut, sources }
