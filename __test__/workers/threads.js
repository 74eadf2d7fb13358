'use strict'

/*
 * Worker threads for tests, which carry out commands. Every wait is bounded.
 */

const path = require('node:path')
const { Worker } = require('node:worker_threads')

const LIMIT_MS = 30_000

/**
 * Starts a worker thread, which is terminated at the end of its test.
 *
 * @param {import('node:test').TestContext} t
 */
function startThread (t) {
  const progress = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(path.join(__dirname, 'thread.js'), { workerData: { progress: progress.buffer } })
  t.after(() => worker.terminate())

  /** @type {Map<number, (answer: any) => void>} */
  const waiting = new Map()
  let last = 0
  /** @type {unknown} */
  let failure
  worker.on('message', (answer) => {
    const resolve = waiting.get(answer.number)
    waiting.delete(answer.number)
    if (resolve) resolve(answer)
  })
  worker.on('error', (error) => { failure = error })
  /** @type {Promise<number>} */
  const exited = new Promise((resolve) => worker.once('exit', resolve))

  return {
    worker,
    progress,
    /**
     * Sends a command without waiting for the response.
     *
     * @param {string} command
     * @param {any} [argument]
     */
    send (command, argument) {
      worker.postMessage({ number: last++, command, argument })
    },
    /**
     * Sends a command; resolves with its response.
     *
     * @param {string} command
     * @param {any} [argument]
     * @returns {Promise<any>}
     */
    async ask (command, argument) {
      const number = last++
      worker.postMessage({ number, command, argument })
      const answer = await within(new Promise((resolve, reject) => {
        waiting.set(number, resolve)
        exited.then((code) => reject(new Error(`the thread ended with code ${code} during "${command}"`)))
      }), `a response to "${command}"`)
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error)
      return answer.value
    },
    /** Resolves at the end of the thread with its exit code and its uncaught error. */
    async ended () {
      return { code: await within(exited, 'the end of a thread'), failure }
    },
    /** Releases the thread from `block` or `race`. */
    release () {
      Atomics.store(progress, 1, 1)
      Atomics.notify(progress, 1)
    }
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
async function within (promise, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${LIMIT_MS} ms: ${what}`)), LIMIT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

module.exports = { startThread, within }
