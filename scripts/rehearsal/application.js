'use strict'

// Installs the package from a registry in a new project, and runs the README's application there.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { ROOT, run } = require('../platforms/folders')
const { FOLDER, freePort } = require('./registry')

const PAGE_LIMIT_MS = 120_000
const NPM_LIMIT_MS = 10 * 60_000
const LINE = /^trace_counter\{object_classname="SomeModule",caller_functionname="get",caller_filename="[^"]*some-module\.js",id="get",object_id="1",object_props_someCustom="property"\} 1$/m

/** @typedef {import('../platforms/runtimes').Runtime} Runtime */

/**
 * Creates a project and installs the package there; returns its folder and the packages of platforms in it.
 *
 * @param {string} name of the platform
 * @param {string} registry
 * @param {Runtime} [runtime] runs npm; without it, npm of this machine runs, with options for the platform
 */
function installPackage (name, registry, runtime) {
  const folder = path.join(FOLDER, 'projects', name)
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "name": "application", "private": true }\n')
  const pathOf = runtime?.pathOf ?? ((/** @type {string} */ file) => file)
  // npm reads the name of the C library from /usr/bin/ldd. Here this is the file of Debian, so npm would install for glibc.
  const libc = runtime !== undefined && name.endsWith('-musl') ? ['--libc=musl'] : []
  const args = ['install', 'hypertrace-prometheus', 'hypertrace', `--registry=${registry}`, `--cache=${pathOf(path.join(FOLDER, 'cache', name))}`, '--no-audit', '--no-fund', ...libc]
  npm(folder, runtime === undefined ? [...args, ...platformOptions(name)] : args, runtime)
  const modules = fs.readdirSync(path.join(folder, 'node_modules'))
  return { folder, packages: modules.filter((module) => module.startsWith('hypertrace-prometheus-')) }
}

/** @param {string} name */
function platformOptions (name) {
  const [os, cpu, library] = name.split('-')
  const libc = { gnu: 'glibc', musl: 'musl' }[library]
  return [`--os=${os}`, `--cpu=${cpu}`, ...libc === undefined ? [] : [`--libc=${libc}`]]
}

/**
 * @param {string} cwd
 * @param {string[]} args
 * @param {Runtime} [runtime]
 */
function npm (cwd, args, runtime) {
  const { command, env, pathOf } = runtime ?? { command: process.execPath, env: process.env, pathOf: (/** @type {string} */ file) => file }
  const log = path.join(cwd, 'npm.log')
  const output = fs.openSync(log, 'w')
  const { status, signal } = spawnSync(command, [pathOf(npmProgram()), ...args], { cwd, env, stdio: ['ignore', output, output], timeout: NPM_LIMIT_MS })
  fs.closeSync(output)
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed: ${signal ?? `exit code ${status}`}\n${fs.readFileSync(log, 'utf8')}`)
}

/** Returns the program of a copy of this machine's npm. The copy is in this project, where each runtime finds it. */
function npmProgram () {
  const copy = path.join(FOLDER, 'npm')
  if (!fs.existsSync(copy)) fs.cpSync(path.join(run('npm', ['root', '--global']).trim(), 'npm'), copy, { recursive: true, dereference: true })
  return path.join(copy, 'bin', 'npm-cli.js')
}

/**
 * Runs the README's application, and returns the line of its page that shows the call.
 *
 * @param {string} folder
 * @param {Runtime} runtime
 */
async function runApplication (folder, runtime) {
  const port = await freePort()
  fs.writeFileSync(path.join(folder, 'some-module.js'), block('file some-module.js'))
  fs.writeFileSync(path.join(folder, 'app.js'), block('run app.js').replace('4343', String(port)))
  const log = path.join(folder, 'app.log')
  const output = fs.openSync(log, 'w')
  const child = spawn(runtime.command, ['app.js'], { cwd: folder, env: runtime.env, stdio: ['ignore', output, output] })
  const closed = once(child, 'close')
  try {
    return await lineOf(port, child)
  } catch (error) {
    throw new Error(`${error.message}\n${fs.readFileSync(log, 'utf8')}`)
  } finally {
    child.kill('SIGKILL')
    runtime.end?.()
    await closed
    fs.closeSync(output)
  }
}

/**
 * Scrapes until the page shows the call: the server starts before it. Returns its line.
 *
 * @param {number} port
 * @param {import('node:child_process').ChildProcess} child
 */
async function lineOf (port, child) {
  let page = ''
  for (const end = performance.now() + PAGE_LIMIT_MS; performance.now() < end; await sleep(100)) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined)
    page = await response?.text() ?? ''
    const line = LINE.exec(page)
    if (line !== null) return line[0]
    if (child.exitCode !== null) throw new Error(`the application ended with exit code ${child.exitCode}`)
  }
  throw new Error(page === '' ? 'the application serves no page' : `the page does not show the call:\n${page.slice(0, 1000)}`)
}

/**
 * Returns a program of the README.
 *
 * @param {string} mark
 */
function block (mark) {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const code = new RegExp(`<!-- readme\\.test: ${mark.replace('.', '\\.')} -->\n\`\`\`js\n([^]*?)^\`\`\`$`, 'm').exec(readme)?.[1]
  if (code === undefined) throw new Error(`README.md has no program "${mark}"`)
  return code
}

module.exports = { installPackage, runApplication }
