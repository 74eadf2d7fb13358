'use strict'

/*
 * A scrape of four processes of 10,000 series each. Another process scrapes. Measures the time until the last byte, and the longest
 * stall of the event loop, in the process that answers and in another process of the cluster. With ours, the processes share a
 * port. With 1.0.0, the primary process answers with the AggregatorRegistry of prom-client.
 */

const cluster = require('node:cluster')
const { once } = require('node:events')
const http = require('node:http')
const implementations = require('../implementations')
const { scrape } = require('../scrape')
const { watchStalls } = require('../stall')
const { median, isEnough } = require('../statistics')
const { Application, SITES, batches } = require('../workload')

const PROCESSES = 4
const SERIES = 10_000

const cases = () => [{
  only: ['ours', '1.0.0'],
  lines: [
    { name: 'scrape of 4 processes, 10k series each', aim: 0.1, headline: true },
    { name: 'event loop of the process that answers, stalled by a scrape of 4 processes', headline: true },
    { name: 'event loop of another process, stalled by a scrape of 4 processes', headline: true },
    { name: 'scrape in gzip of 4 processes, the newest 2 % counted since the last' }
  ]
}]

/** Runs in the child process, which is the primary process of the cluster. Passes the work of the parent process to the workers. */
async function measure ({ port }, create, { send, receive }) {
  const isOurs = create.name === 'ours'
  cluster.setupPrimary({ exec: __filename, args: [] })
  /** @type {import('node:cluster').Worker[]} */
  const workers = []
  for (let n = 0; n < PROCESSES; n++) {
    const worker = cluster.fork({ BENCHMARK: JSON.stringify({ port, isOurs }) })
    await once(worker, 'message') // the first one opens the port
    workers.push(worker)
  }
  if (!isOurs) {
    const all = implementations['1.0.0'].aggregator()
    const server = http.createServer(async (request, response) => {
      response.setHeader('Content-Type', all.contentType)
      response.end(await all.clusterMetrics())
    }).listen(port)
    await once(server, 'listening')
  }
  const ask = async (worker, work) => {
    worker.send(work)
    for (;;) {
      const [message] = await once(worker, 'message')
      if (typeof message !== 'object') return message // AggregatorRegistry sends objects
    }
  }

  send({ port })
  for (let work = await receive(); work !== 'end'; work = await receive()) {
    if (work === 'count') {
      for (const worker of workers) await ask(worker, 'count')
      send('counted')
    } else if (work === 'answers' && !isOurs) {
      const stop = watchStalls()
      send('watching')
      await receive()
      send(stop())
    } else {
      const watched = workers[work === 'answers' ? 0 : 1]
      await ask(watched, 'watch')
      send('watching')
      await receive()
      send(await ask(watched, 'stop'))
    }
  }
  for (const worker of workers) worker.process.kill('SIGKILL')
}

/** Runs in the parent process: scrapes. */
async function observe ({ implementation }, { send, receive }) {
  const { port } = await receive()
  const size = await scrape(port)
  if (size < PROCESSES * SERIES * 50) throw new Error(`a page of ${size} bytes`)

  const medianOf = async (measureOnce) => {
    const values = []
    while (!isEnough(values)) values.push(await measureOnce())
    return median(values)
  }
  const time = async (format) => {
    const start = performance.now()
    await scrape(port, format)
    return performance.now() - start
  }
  const stall = async (of) => {
    send(of)
    await receive()
    await scrape(port)
    send('enough')
    return receive()
  }
  const values = [await medianOf(time), await medianOf(() => stall('answers')), await medianOf(() => stall('other'))]
  if (implementation === 'ours') {
    await scrape(port, { gzip: true })
    values.push(await medianOf(async () => {
      send('count')
      await receive()
      return time({ gzip: true })
    }))
  }
  send('end')
  return { values }
}

/** Runs in each worker process. */
function work ({ port, isOurs }) {
  const create = implementations[isOurs ? 'ours' : '1.0.0']
  const register = isOurs ? undefined : create.registry()
  const implementation = create(isOurs ? { port, cluster: true } : { register })
  if (!isOurs) create.aggregate(register)
  const application = new Application()
  application.grow(SERIES / SITES)
  const count = (from) => {
    for (const numbers of batches(SERIES - from, 1000)) {
      application.record(numbers.map((number) => from + number)).forEach((payload) => implementation.trace(payload))
    }
  }
  count(0)
  let stop = () => 0
  process.on('message', (message) => {
    if (message === 'count') {
      count(SERIES * 0.98)
      process.send('counted')
    } else if (message === 'watch') {
      stop = watchStalls()
      process.send('watching')
    } else if (message === 'stop') {
      process.send(stop())
    }
  })
  process.send('ready')
}

if (process.env.BENCHMARK && cluster.isWorker) work(JSON.parse(process.env.BENCHMARK))

module.exports = { cases, measure, observe, unit: 'ms' }
