'use strict'

// A pool of worker threads (tinypool) that sort numbers, traced in every thread and served as one page.
//
//   node examples/pool.js [--port 4343] [--for seconds] [--threads 4]
//
// PORT in the environment is taken as --port.

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
  const end = endSignal(Number(values.for))

  // Opened here, before any worker asks for it.
  const traceFunction = HypertracePrometheus({ port: values.port })
  setTraceFunction(traceFunction)
  const { port } = traceFunction.address()

  const { Tinypool } = await import('tinypool')
  const pool = new Tinypool({
    filename: path.join(__dirname, 'pool-worker.js'),
    minThreads: Number(values.threads),
    maxThreads: Number(values.threads),
    env: { ...process.env, METRICS_PORT: String(port) },
    // Else an idle worker waits with its event loop blocked, and says so on the page.
    useAtomics: false
  })

  const url = `http://localhost:${port}/metrics`
  console.log(`Metrics: ${url}`)
  console.log(`${values.threads} workers sort. To see it:`)
  console.log(`  what they call     curl -s ${url} | grep ^trace_counter`)
  console.log(`  each one's heap    curl -s ${url} | grep ^nodejs_heap_size_used_bytes`)
  console.log('Ctrl-C ends it.')

  const client = new Client(pool)
  let jobs = 0
  while (!end.aborted) {
    const batch = Array.from({ length: 2 * pool.threads.length }, (_, n) => client.ask(1000 * (n + 1)))
    jobs += (await Promise.all(batch)).length
    await sleep(PAUSE_MS, undefined, { signal: end }).catch(() => {})
  }
  console.log(`Jobs done: ${jobs}`)
  await pool.destroy()

  // The workers are gone; what they counted is not.
  const { body } = await fetch(url)
  let page = ''
  for await (const part of body.pipeThrough(new TextDecoderStream())) page += part
  for (const [, id, count] of page.matchAll(/^trace_counter\{.*?[,{]id="(\w+)".* (\d+)$/gm)) console.log(`  ${id}: ${count}`)
  await traceFunction.stop()
}

/** Aborted after so many seconds, by Ctrl-C or by SIGTERM. */
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
