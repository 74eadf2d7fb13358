'use strict'

/*
 * Tests an application that uses the packed package. The package is in the application's bundle, or is installed in its project. The
 * application runs in a folder outside the repository.
 */

const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const bundlers = require('../../scripts/bundlers')
const { cleanUp } = require('./clean-up')
const { get } = require('./http')

const LIMIT_MS = 300_000
const COUNTED = /^trace_counter\{object_classname="SomeModule",caller_functionname="get",caller_filename="[^"]*",id="get",object_id="1",object_props_someCustom="property"\} (\d+)$/m

/**
 * Runs an application that prints its port and its page, counts two calls, and ends with its standard input.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
async function testApplication (t, command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] })
  cleanUp(t, () => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  assert.ok(!first.done, stderr)
  const { port, page } = JSON.parse(first.value)
  const where = { port, host: '127.0.0.1' }
  const { status, body } = await get(where)
  assert.equal(status, 200)
  for (const text of [page, body]) assert.equal(COUNTED.exec(text)?.[1], '2', text)
  child.stdin.end()
  assert.equal((await lines.next()).value, 'stopped')
  await assert.rejects(get(where), { code: 'ECONNREFUSED' })
  assert.deepEqual(await closed, [0, null], stderr)
}

/**
 * Runs a command with the programs of the bundlers.
 *
 * @param {string} command
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} [more] environment variables
 * @returns {Promise<string>} its output
 */
function execute (command, cwd, more = {}) {
  const PATH = [bundlers.BIN, process.env.PATH].join(path.delimiter)
  const shell = process.platform === 'win32' ? ['cmd', '/d', '/s', '/c'] : ['sh', '-c']
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', ...more }
    execFile(shell[0], [...shell.slice(1), command], { cwd, env, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr)
      else reject(new Error(`${command}:\n${stdout}${stderr}`))
    })
  })
}

/** @param {string} folder */
function copySomeModule (folder) {
  for (const name of ['some-module.cjs', 'some-module.mjs']) {
    fs.copyFileSync(path.join(__dirname, '..', '..', 'examples', name), path.join(folder, name))
  }
}

/**
 * Copies the application of the bundlers, in CommonJS and as an ES module.
 *
 * @param {string} folder
 */
function copyApplication (folder) {
  for (const name of ['app.js', 'app.mjs']) fs.copyFileSync(path.join(__dirname, '..', 'bundlers', name), path.join(folder, name))
  copySomeModule(folder)
}

/**
 * Creates a folder outside the repository.
 *
 * @param {import('node:test').TestContext} t
 */
function elsewhere (t) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bundle-')))
  cleanUp(t, () => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

module.exports = { COUNTED, LIMIT_MS, copyApplication, copySomeModule, elsewhere, execute, testApplication }
