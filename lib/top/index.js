'use strict'

/*
 * `npx hypertrace-prometheus top` shows what a process calls, in a terminal or as a snapshot in plain text. It reads the
 * documents of a server and does not load the addon, so it runs on any machine with Node.js.
 *
 *   arguments, address         the command line → options                     pure
 *   client, failures, read     the documents of the server
 *   model, keys, views         the state, and the queries to the server       pure
 *   screen, table, spark,      the state → lines                              pure
 *   format, text
 *   terminal, session          frames, keys and signals
 */

const fs = require('node:fs')
const { UsageError, parseArguments } = require('./arguments')
const { createClient } = require('./client')
const { Failure } = require('./failures')
const { answered, initialState } = require('./model')
const { readAnswer } = require('./read')
const { snapshot } = require('./screen')
const { runSession } = require('./session')
const { toAscii } = require('./text')

/**
 * Runs the program and sets the exit code of the process.
 *
 * @param {string[]} argv without the name of the program
 */
async function main (argv) {
  // On Linux and macOS this also replaces the arguments in the list of processes, which may contain a password.
  process.title = 'hypertrace-prometheus top'
  // A program that reads this output from a pipe may end early, as `head` does.
  process.stdout.on('error', (error) => { if (!process.stdout.isTTY) process.exit('code' in error && error.code === 'EPIPE' ? 0 : 1) })
  try {
    const options = parseArguments(argv, process.env)
    if (typeof options === 'string') process.stdout.write(options)
    else await run(options)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    fail(`${error.message}\n\`npx hypertrace-prometheus top --help\` lists the options.`)
  }
}

/** @param {import('./arguments').TopOptions} options */
async function run (options) {
  const { ca, cert, key } = options.files
  const { base, authorization, insecure } = options
  const client = createClient({ base, authorization, insecure, tls: createTls({ ca: read(ca), cert: read(cert), key: read(key) }) })
  const live = !options.once && process.stdout.isTTY && process.env.TERM !== 'dumb'
  if (live) {
    const { code, message } = await runSession(client, options)
    if (message !== undefined) fail(message)
    process.exitCode = code
    return
  }
  try {
    await printSnapshot(client, options)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    fail(error.message)
  } finally {
    client.close()
  }
}

/**
 * @param {import('./client').Client} client
 * @param {import('./arguments').TopOptions} options
 */
async function printSnapshot (client, options) {
  const now = Date.now() / 1000
  const answer = await readAnswer(client, options.settings, { rows: options.rows, all: true })
  const lines = snapshot(answered(initialState(options), answer, now), options.rows, now)
  process.stdout.write(lines.map(({ text }) => (options.unicode ? text : toAscii(text)) + '\n').join(''))
}

/**
 * Checks that the files are certificates and a key, so that a wrong file is not reported as a fault of the server.
 *
 * @param {{ ca?: Buffer, cert?: Buffer, key?: Buffer }} pems
 */
function createTls (pems) {
  try {
    require('node:tls').createSecureContext(pems)
  } catch (error) {
    // The message of OpenSSL contains nothing of a key.
    throw new UsageError(`--ca, --cert and --key must be PEM files, and the key must belong to the certificate and must not be encrypted: ${error.code ?? error.message}.`)
  }
  return pems
}

/** @param {string | undefined} file */
function read (file) {
  if (file === undefined) return undefined
  try {
    return fs.readFileSync(file)
  } catch (error) {
    throw new UsageError(`The file ${JSON.stringify(file)} cannot be read: ${error.code}.`)
  }
}

/** @param {string} message */
function fail (message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}

module.exports = { main }
