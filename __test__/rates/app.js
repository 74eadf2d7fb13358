'use strict'

/*
 * An application with real tracers. It counts its own calls. Several exporters count each call too, so that each Prometheus
 * server scrapes a page of its own.
 *
 *   node app.js <pattern> <port>... [--options <json>]
 *
 * Prints `ports …` once. After each round of calls, prints `at <ms since the epoch> <calls>`: the number of calls of the main thread
 * so far. Reads the commands `begin` and `end`. After `end`, prints `made <calls>`: the number of calls of all threads.
 */

const { once } = require('node:events')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { Worker } = require('node:worker_threads')

const { readCommands, writeLine } = require('../support/commands')
const { count, objectsOf, trace } = require('./objects')

const { values, positionals: [pattern, ...ports] } = parseArgs({
  options: { options: { type: 'string', default: '{}' } },
  allowPositionals: true
})
const options = JSON.parse(values.options)
const traceFunctions = trace(ports.map(Number), options)

/** The time between the starts of two workers. At each start the oldest of three workers ends. */
const WORKER_MS = 2000

/** @type {Record<string, () => () => Promise<number>>} each starts calls, and returns a function that stops them and resolves to the calls of other threads */
const PATTERNS = {
  short: () => every(100, () => objectsOf('Session', 1, 3)),
  many: () => every(20, () => objectsOf('Stream', 1, 2)),
  long: () => {
    const objects = objectsOf('Core', 20, 1)
    return every(50, () => objects.forEach((object) => object.call()))
  },
  /** Calls each object three times, every 6 s. */
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
    const stopOwnCalls = PATTERNS.short()
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
    const stopStarts = every(WORKER_MS, () => {
      start()
      if (running.length > 2) endFirst()
    })
    return async () => {
      await stopStarts()
      await stopOwnCalls()
      while (running.length > 0) await endFirst()
      return calls
    }
  }
}

/** Runs a function at regular intervals, and prints the number of calls after each run. Returns a function that stops the timer. */
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

readCommands({
  begin () {
    end = PATTERNS[pattern]()
  },
  async end () {
    const callsOfThreads = await end()
    writeLine(`made ${count() + callsOfThreads}`)
  }
})
writeLine(`ports ${traceFunctions.map((traceFunction) => traceFunction.address().port).join(' ')}`)
