'use strict'

/*
 * Opens or joins a port. The argument is the options as JSON. Prints `at <port>` when the port is opened or joined, or
 * `failed <code> <message>`. Reads commands from its input.
 */

const path = require('node:path')
const { Worker } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { readCommands, writeLine } = require('../support/commands')
const { payload } = require('../support/payload')

const options = JSON.parse(process.argv[2])
/** @type {import('../..').TraceFunction} */
let traceFunction
/** @type {Worker[]} */
const workers = []
let total = 0
/** @type {NodeJS.Timeout | undefined} */
let running

function count (calls, id) {
  for (let n = 0; n < calls; n++) traceFunction(payload({ id, object: { className: 'Counted' } }))
  total += calls
}

function open () {
  try {
    traceFunction = HypertracePrometheus({ cluster: true, ...options })
    writeLine(`at ${traceFunction.address().port}`)
  } catch (err) {
    writeLine(`failed ${err.code} ${err.message}`)
  }
}

const input = readCommands({
  /** Counts a number of calls of one series. */
  count (calls, id) {
    count(Number(calls), id)
    writeLine(`counted ${total}`)
  },
  /** Counts a number of calls over many series, in several turns of the event loop, so that scrapes run meanwhile. */
  load (calls, series) {
    let left = Number(calls)
    const turn = () => {
      for (let n = 0; n < 1000 && left > 0; n++, left--) count(1, `series ${left % Number(series)}`)
      if (left > 0) setImmediate(turn)
      else writeLine(`counted ${total}`)
    }
    turn()
  },
  /** Creates a number of series. */
  series (number) {
    for (let n = 0; n < Number(number); n++) traceFunction(payload({ id: 'many', object: { className: 'Many', id: n + 1 } }))
    writeLine('made')
  },
  /** Counts ten lasting series and one new series in each round, until `pause`. Prints the time and the calls after each round. */
  run (name) {
    let round = 0
    const turn = () => {
      for (let n = 0; n < 10; n++) count(1, `${name} ${n}`)
      for (let n = 0; n < 3; n++) count(1, `${name} new ${round}`)
      round++
      writeLine(`made ${Date.now()} ${total}`)
    }
    turn()
    running = setInterval(turn, 20)
  },
  pause () {
    clearInterval(running)
    writeLine('paused')
  },
  /** Blocks the event loop. */
  block (milliseconds) {
    writeLine('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds))
    writeLine('free')
  },
  /** Starts a worker thread that joins the port, and counts. */
  worker (calls) {
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: { options, calls: Number(calls) } })
    workers.push(worker)
    worker.once('message', (message) => writeLine(message))
  },
  async metrics () {
    writeLine(`metrics ${JSON.stringify(await traceFunction.metrics())}`)
  },
  async stop () {
    await traceFunction.stop()
    writeLine('stopped')
  },
  open,
  async terminate () {
    await Promise.all(workers.map((worker) => worker.terminate()))
    writeLine('terminated')
  },
  exit () { process.exit(3) },
  fail () { throw new Error('not caught') },
  /** Ends without `stop()`. */
  end () {
    traceFunction.unref()
    input.close()
  }
})

if (options.lazy) writeLine('lazy')
else open()
