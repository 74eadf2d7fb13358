'use strict'

/*
 * A worker thread that does what the test tells it: it takes orders as messages and answers each.
 * `progress` is shared memory, in which it tells how far it has come even while its loop is blocked.
 */

const { parentPort, threadId, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const progress = new Int32Array(workerData.progress)

/** @type {any} */
let traceFunction

const count = (id) => traceFunction(payload({ id, object: { className: 'Counted' } }))

const orders = {
  join ({ withRegister, ...options }) {
    const register = withRegister ? new (require('prom-client').Registry)() : null
    traceFunction = HypertracePrometheus({ ...options, register })
    return threadId
  },

  /** Asks for the port at the moment when the test lets all threads go. */
  race (options) {
    Atomics.wait(progress, 1, 0)
    return this.join(options)
  },

  /** So many calls in all, spread over these ids. */
  count ({ calls, ids }) {
    for (let n = 0; n < calls; n++) {
      count(ids[n % ids.length])
      progress[0] = n + 1
    }
  },

  /** Counts until the thread is ended from outside. */
  countForEver ({ ids }) {
    for (let n = 0; ; n++) {
      count(ids[n % ids.length])
      Atomics.store(progress, 0, n + 1)
    }
  },

  /** Blocks the event loop until the test lets go. */
  block () {
    Atomics.store(progress, 0, -1)
    Atomics.notify(progress, 0)
    Atomics.wait(progress, 1, 0)
  },

  metrics: () => traceFunction.metrics(),
  address: () => traceFunction.address(),
  stop: () => traceFunction.stop(),
  forget () { traceFunction = undefined },
  end () { parentPort.close() },
  exit (code) { process.exit(code) },
  fail () { setImmediate(() => { throw new Error('not caught') }) }
}

parentPort.on('message', async ({ number, order, argument }) => {
  try {
    parentPort.postMessage({ number, value: await orders[order](argument) })
  } catch (error) {
    parentPort.postMessage({ number, error: { name: error.name, message: error.message, code: error.code } })
  }
})
