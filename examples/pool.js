'use strict'

// Traces a pool of worker threads (tinypool) that sort numbers; one page shows all threads. The live
// page is at http://localhost:4343/.
//
//   node examples/pool.js [--port 4343] [--for seconds] [--threads 4]
//
// The environment variable PORT is the default of --port.

const { once } = require('node:events')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')

const { setTraceFunction, createTracer } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')

const PAUSE_MS = 20

class Client {
  constructor (pool) {
    this.pool = pool
    this.tracer = createTracer(this)
  }

  async ask (size) {
    this.tracer.trace('ask')
    return this.pool.run(size)
  }
}

async function main () {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: process.env.PORT || '4343' },
      for: { type: 'string', default: 'Infinity' },
      threads: { type: 'string', default: '4' }
    }
  })
  const threads = Number(values.threads)
  if (!Number.isInteger(threads) || threads < 1) {
    const err = new RangeError(`--threads must be a whole number from 1 on, not ${values.threads}`)
    throw Object.assign(err, { code: 'ERR_OUT_OF_RANGE' })
  }
  const end = endSignal(Number(values.for))

  // The main thread opens the port before the workers start, so that only the main thread's stop() closes the port.
  const traceFunction = HypertracePrometheus({ port: values.port })
  setTraceFunction(traceFunction)
  const { port } = traceFunction.address()

  const { Tinypool } = await import('tinypool')
  const pool = new Tinypool({
    filename: path.join(__dirname, 'pool-worker.js'),
    minThreads: threads,
    maxThreads: threads,
    env: { ...process.env, METRICS_PORT: String(port) },
    // With atomics, an idle worker blocks its event loop while it waits, and the page shows this time as event loop lag.
    useAtomics: false
  })

  const url = `http://localhost:${port}/`
  const metrics = `${url}metrics`
  console.log(`Live page: ${url}`)
  console.log(`Metrics: ${metrics}`)
  console.log(`${threads} workers sort. Open the live page in a browser, or print the metrics:`)
  console.log(`  the calls               curl -s ${metrics} | grep ^trace_counter`)
  console.log(`  the heap of each thread curl -s ${metrics} | grep ^nodejs_heap_size_used_bytes`)
  console.log('Ctrl-C ends this example.')

  const client = new Client(pool)
  let jobs = 0
  do {
    const batch = Array.from({ length: 2 * pool.threads.length }, (_, n) => client.ask(1000 * (n + 1)))
    jobs += (await Promise.all(batch)).length
    await sleep(PAUSE_MS, undefined, { signal: end }).catch(() => {})
  } while (!end.aborted)
  console.log(`Jobs done: ${jobs}`)
  await pool.destroy()

  // The workers have ended; their counts are still on the page.
  const { body } = await fetch(metrics)
  let page = ''
  for await (const part of body.pipeThrough(new TextDecoderStream())) page += part
  for (const [, id, count] of page.matchAll(/^trace_counter\{.*?[,{]id="(\w+)".* (\d+)$/gm)) console.log(`  ${id}: ${count}`)
  await traceFunction.stop()
}

/** Returns a signal that is aborted after this number of seconds, by Ctrl-C or by SIGTERM. */
function endSignal (seconds) {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) once(process, name).then(() => controller.abort())
  if (seconds < Infinity) setTimeout(() => controller.abort(), seconds * 1000).unref()
  return controller.signal
}

main().catch((err) => {
  console.error(err.code === undefined ? err : err.message)
  process.exitCode = 1
})
