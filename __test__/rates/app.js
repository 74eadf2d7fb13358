'use strict'

/*
 * An application with real tracers. It counts its calls itself, and each call is counted by several exporters, so that each
 * Prometheus has a page of its own.
 *
 *   node app.js <pattern> <port>... [--options <json>]
 *
 * Prints `ports …`, then `at <ms since the epoch> <calls made by then>` again and again. Takes the commands `begin` and `end`, and
 * answers the latter with `made <calls>`.
 */

const { once } = require('node:events')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { Worker } = require('node:worker_threads')

const { takeCommands, writeLine } = require('../support/commands')
const { count, objectsOf, trace } = require('./objects')

const { values, positionals: [pattern, ...ports] } = parseArgs({
  options: { options: { type: 'string', default: '{}' } },
  allowPositionals: true
})
const options = JSON.parse(values.options)
const traceFunctions = trace(ports.map(Number), options)

/** Workers in turn: one begins every 2 s, so that two are running, and one ends. */
const WORKER_MS = 2000

/** @type {Record<string, () => () => Promise<number>>} each begins, and returns a function that ends and resolves to calls of threads */
const PATTERNS = {
  short: () => every(100, () => objectsOf('Session', 1, 3)),
  many: () => every(20, () => objectsOf('Stream', 1, 2)),
  long: () => {
    const objects = objectsOf('Core', 20, 1)
    return every(50, () => objects.forEach((object) => object.call()))
  },
  /** Each object is called for a moment in every 6 s. */
  idle: () => {
    const objects = objectsOf('Peer', 60, 1)
    let next = 0
    return every(100, () => { for (let n = 0; n < 3; n++) objects[next % objects.length].call(); next++ })
  },
  mixed: () => {
    const ends = [PATTERNS.short(), PATTERNS.long()]
    return async () => { for (const end of ends) await end(); return 0 }
  },
  threads: () => {
    const endOwn = PATTERNS.short()
    const shared = traceFunctions.map((traceFunction) => traceFunction.address().port)
    /** @type {Worker[]} */
    const running = []
    let calls = 0
    const endFirst = async () => {
      const worker = running.shift()
      worker.postMessage('end')
      const [made] = await once(worker, 'message')
      calls += made
    }
    const start = () => running.push(new Worker(path.join(__dirname, 'worker.js'), { workerData: { ports: shared, options } }))
    start()
    const endTurns = every(WORKER_MS, () => {
      start()
      if (running.length > 2) endFirst()
    })
    return async () => {
      await endTurns()
      await endOwn()
      while (running.length > 0) await endFirst()
      return calls
    }
  }
}

/** Runs a function regularly, and reports the calls; returns a function that ends that. */
function every (milliseconds, run) {
  const runAndReport = () => {
    run()
    writeLine(`at ${Date.now()} ${count()}`)
  }
  runAndReport()
  const timer = setInterval(runAndReport, milliseconds)
  return async () => { clearInterval(timer); return 0 }
}

/** @type {() => Promise<number>} */
let end

takeCommands({
  begin () {
    end = PATTERNS[pattern]()
  },
  async end () {
    const ofThreads = await end()
    writeLine(`made ${count() + ofThreads}`)
  }
})
writeLine(`ports ${traceFunctions.map((traceFunction) => traceFunction.address().port).join(' ')}`)
