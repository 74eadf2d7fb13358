'use strict'

/*
 * A worker thread that carries out commands of a test: each command is a message and gets a response. `progress` is
 * shared memory. This thread writes [0], also while its event loop is blocked. The test writes [1] to release this thread.
 */

const { parentPort, threadId, workerData } = require('node:worker_threads')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const progress = new Int32Array(workerData.progress)

/** @type {any} */
let traceFunction

const count = (id) => traceFunction(payload({ id, object: { className: 'Counted' } }))

const commands = {
  join ({ withRegister, ...options }) {
    const register = withRegister ? new (require('prom-client').Registry)() : null
    traceFunction = HypertracePrometheus({ ...options, register })
    return threadId
  },

  /** Requests the port as soon as the test releases the thread. */
  race (options) {
    Atomics.wait(progress, 1, 0)
    return this.join(options)
  },

  /** Makes `calls` calls, spread over these ids. */
  count ({ calls, ids }) {
    for (let n = 0; n < calls; n++) {
      count(ids[n % ids.length])
      progress[0] = n + 1
    }
  },

  /** Counts until the thread is terminated. */
  countForEver ({ ids }) {
    for (let n = 0; ; n++) {
      count(ids[n % ids.length])
      Atomics.store(progress, 0, n + 1)
    }
  },

  /** Blocks the event loop until the test releases the thread. */
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

parentPort.on('message', async ({ number, command, argument }) => {
  try {
    parentPort.postMessage({ number, value: await commands[command](argument) })
  } catch (error) {
    parentPort.postMessage({ number, error: { name: error.name, message: error.message, code: error.code } })
  }
})
