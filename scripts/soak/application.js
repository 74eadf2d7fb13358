'use strict'

/*
 * The application of the soak test, a process of its own: objects, worker threads, renewed certificates, and an exporter that
 * stops and starts again. The parent process sends commands, and receives one answer for each.
 */

const fs = require('node:fs')
const path = require('node:path')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const { setTimeout: sleep } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')
const HypertracePrometheus = require('../..')
const { shortLived } = require('./objects')

const IDLE_MS = 2_000
const WORKERS = 3
const WAYS = ['end', 'exit', 'terminate', 'fail', 'stop']
/** Ids of the objects of one thread. */
const IDS = 1_000_000

/** @type {{ cert: string, key: string }[]} */
const CERTIFICATES = JSON.parse(process.argv[2])

let epoch = 0
let port = 0
let threads = 0
const work = { isLoaded: false }
/** @type {any} */
let traceFunction
/** @type {any} */
let options
/** @type {Int32Array} */
let begun
/** @type {Int32Array} */
let ended
/** @type {Set<Promise<void>>} */
const workers = new Set()
const delay = monitorEventLoopDelay({ resolution: 10 })

function open () {
  epoch++
  options = {
    port, host: '127.0.0.1', tls: CERTIFICATES[0], seriesIdleTimeout: IDLE_MS, maxSeries: 100_000, defaultLabels: { epoch: String(epoch) }
  }
  traceFunction = HypertracePrometheus(options)
  port = traceFunction.address().port
  begun = new Int32Array(new SharedArrayBuffer(4))
  ended = new Int32Array(new SharedArrayBuffer(4))
}

const calls = { begun: () => Atomics.add(begun, 0, 1), ended: () => Atomics.add(ended, 0, 1) }

/** Traces, and keeps some worker threads alive, until `settle`. */
async function load () {
  const firstId = ++threads * IDS
  for (let n = 0; work.isLoaded; n++) {
    for (let object = 0; object < 20; object++) shortLived(traceFunction, 'Main', { firstId }, calls)
    if (n % 50 === 0) traceFunction.setSecureContext(CERTIFICATES[n / 50 % CERTIFICATES.length])
    while (workers.size < WORKERS) startWorker()
    await sleep(10)
  }
}

function startWorker () {
  const way = WAYS[threads % WAYS.length]
  const workerData = { options: { ...options, port }, begun, ended, way, objects: 100 + Math.floor(Math.random() * 400), firstId: ++threads * IDS }
  const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData, stderr: true })
  worker.on('error', () => {}) // some of the threads throw
  if (way === 'terminate') worker.once('message', () => setTimeout(() => worker.terminate(), Math.random() * 200))
  const end = /** @type {Promise<void>} */ (new Promise((resolve) => worker.once('exit', () => resolve())))
  workers.add(end)
  end.then(() => workers.delete(end))
}

const settle = async () => {
  work.isLoaded = false
  await loading
  await Promise.all(workers)
}

let loading = Promise.resolve()

/** @type {Record<string, () => any>} */
const COMMANDS = {
  load () {
    work.isLoaded = true
    delay.enable()
    delay.reset()
    loading = load()
  },
  settle,
  calls: () => ({ begun: Atomics.load(begun, 0), ended: Atomics.load(ended, 0) }),
  /** Waits for the worker threads first, because they would count for the exporter that they joined. */
  async restart () {
    await settle()
    await traceFunction.stop()
    open()
  },
  async resources () {
    for (let n = 0; n < 3; n++) {
      global.gc?.()
      await sleep(100)
    }
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
    return {
      stallMs: delay.max / 1e6,
      threads,
      rss,
      heap: heapUsed + external + arrayBuffers,
      fds: fs.readdirSync('/proc/self/fd').length,
      tasks: fs.readdirSync('/proc/self/task').length
    }
  },
  async end () {
    await settle()
    await traceFunction.stop()
    process.disconnect()
  }
}

process.once('disconnect', () => process.exit())
open()
process.on('message', async (/** @type {string} */ command) => {
  const result = await COMMANDS[command]()
  if (process.connected) process.send?.({ port, epoch, ...result })
})
