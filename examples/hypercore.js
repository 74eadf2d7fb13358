'use strict'

// Traces real hypercores: some append blocks, others replicate and read them. The live page is at
// http://localhost:4343/.
//
//   node examples/hypercore.js [--port 4343] [--for seconds] [--linger seconds]
//
// With --for, the work ends after these seconds. With --linger, the server stays open for these seconds after the end of the work.
// The environment variable PORT is the default of --port. The module exports `start(options)`.

const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')

const { setTraceFunction, clearTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const Hypercore = require('hypercore')

const PAIRS = 3
const PAUSE_MS = 200
const MAX_BLOCKS = 5000 // a pair with this many blocks is replaced by a new pair, which limits the temporary storage
const GET_TIMEOUT_MS = 5000

/**
 * Starts the work. The server listens when the call returns.
 *
 * @param {import('hypertrace-prometheus').Options} [options]
 */
function start (options) {
  const traceFunction = HypertracePrometheus(options)
  let traces = 0

  // hypertrace traces only hypercores that are created after this call.
  setTraceFunction((/** @type {import('hypertrace-prometheus').TracePayload} */ payload) => {
    traces++
    traceFunction(payload)
  })

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hypertrace-prometheus-'))
  const removeFolder = () => fs.rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeFolder)

  const resting = new AbortController()
  const work = Promise.all(Array.from({ length: PAIRS }, (_, i) => workOn(folder, i, resting.signal)))
  work.catch(() => {}) // rest() rejects with this error

  /** Ends the work and closes the hypercores; the server stays open. Rejects with the error of the work. */
  async function rest () {
    resting.abort()
    await work
  }

  /** Ends the work, closes the server and removes the storage. */
  async function stop () {
    try {
      await rest()
    } finally {
      clearTraceFunction()
      await traceFunction.stop()
      process.removeListener('exit', removeFolder)
      removeFolder()
    }
  }

  return { traceFunction, folder, work, rest, stop, traces: () => traces }
}

/**
 * Runs one pair after the other until the signal is aborted.
 *
 * @param {string} folder
 * @param {number} i
 * @param {AbortSignal} signal
 */
async function workOn (folder, i, signal) {
  for (let generation = 0; !signal.aborted; generation++) {
    const storage = path.join(folder, `${i}-${generation}`)
    await workOnPair(storage, 2 ** i, signal)
    await fs.promises.rm(storage, { recursive: true, force: true })
  }
}

/**
 * Appends to one hypercore, replicates it to a second one and reads the blocks from the second.
 *
 * @param {string} storage
 * @param {number} blocksPerRound
 * @param {AbortSignal} signal
 */
async function workOnPair (storage, blocksPerRound, signal) {
  const writer = new Hypercore(path.join(storage, 'writer'))
  await writer.ready()
  const reader = new Hypercore(path.join(storage, 'reader'), writer.key)
  await reader.ready()

  const here = writer.replicate(true)
  const there = reader.replicate(false)
  here.on('error', () => {}) // below, each stream is destroyed while the other one is open
  there.on('error', () => {})
  here.pipe(there).pipe(here)

  try {
    while (!signal.aborted && writer.length < MAX_BLOCKS) {
      const from = writer.length
      for (let n = 0; n < blocksPerRound; n++) {
        await writer.append(`block ${from + n}, appended at ${new Date().toISOString()}`)
      }
      for (let index = from; index < writer.length; index++) {
        await reader.get(index, { timeout: GET_TIMEOUT_MS })
      }
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => {})
    }
  } finally {
    here.destroy()
    there.destroy()
    await reader.close()
    await writer.close()
  }
}

async function main () {
  const signal = endSignal() // first, so that any later signal removes the storage
  let settings, example
  try {
    settings = readArguments()
    example = startOrExplain(settings.port)
  } catch (err) {
    console.error(err.code === undefined ? err : err.message)
    process.exitCode = 1
    return
  }
  const port = example.traceFunction.address()?.port
  const url = `http://localhost:${port}/`

  console.log(`Live page: ${url}`)
  console.log(`Metrics: ${url}metrics`)
  console.log(`${PAIRS} pairs of hypercores append, replicate and read. Open the live page in a browser, or print the busiest calls:`)
  console.log(`  curl -s ${url}metrics | grep ^trace_counter | sort -t} -rnk2 | head -5`)
  console.log('Ctrl-C ends this example.')

  try {
    await Promise.race([passed(settings.seconds, signal), example.work]) // the work ends first only if it fails
    await example.rest()
    console.log(`Traces made: ${example.traces()}`)
    if (settings.linger > 0) await passed(settings.linger, signal)
  } finally {
    await example.stop()
  }
}

function readArguments () {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: process.env.PORT || '4343' },
      for: { type: 'string', default: 'Infinity' },
      linger: { type: 'string', default: '0' }
    }
  })
  for (const name of /** @type {const} */ (['for', 'linger'])) {
    if (Number(values[name]) >= 0) continue
    const err = new RangeError(`--${name} must be a number of seconds, not ${values[name]}`)
    throw Object.assign(err, { code: 'ERR_OUT_OF_RANGE' })
  }
  return { port: Number(values.port), seconds: Number(values.for), linger: Number(values.linger) }
}

/** @param {number} port */
function startOrExplain (port) {
  try {
    return start({ port })
  } catch (err) {
    if (err.code === 'EADDRINUSE') {
      err.message = `Port ${port} is in use by another program. Use another port: npm start -- --port ${port + 1}`
    }
    throw err
  }
}

/**
 * Resolves after this number of seconds, or when the signal is aborted.
 *
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
async function passed (seconds, signal) {
  if (signal.aborted) return
  if (seconds === Infinity) return once(signal, 'abort')
  return sleep(seconds * 1000, undefined, { signal }).catch(() => {})
}

/**
 * Returns a signal that Ctrl-C or SIGTERM aborts. With npm, one Ctrl-C can arrive twice: from the terminal and from npm. So a second
 * signal within one second of the first is ignored. A later signal ends the process at once.
 */
function endSignal () {
  const controller = new AbortController()
  let since = 0
  for (const name of ['SIGINT', 'SIGTERM']) {
    process.on(name, () => {
      if (since === 0) {
        since = Date.now()
        controller.abort()
      } else if (Date.now() - since > 1000) {
        process.exit(1)
      }
    })
  }
  return controller.signal
}

module.exports = { start, main }

if (require.main === module) main()
