'use strict'

// The folders of `npm run platforms`, and functions that run programs and print messages.

const { spawnSync } = require('node:child_process')
const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..')
/** Compilers, runtimes, binaries and copies of the checkout. */
const FOLDER = path.join(ROOT, 'target', 'platforms')

/**
 * Runs a program to its end and returns its output. The error output of the program is printed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number }} [options]
 */
function run (command, args, { cwd = ROOT, env = process.env, timeout } = {}) {
  const { status, signal, error, stdout } = spawnSync(command, args, {
    cwd, env, timeout, encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'inherit']
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? signal ?? `exit code ${status}`}\n${stdout ?? ''}`)
  return stdout
}

/** @param {string} message */
function say (message) {
  console.log(`[${new Date().toISOString().slice(11, 19)}] ${message}`)
}

module.exports = { FOLDER, ROOT, run, say }
