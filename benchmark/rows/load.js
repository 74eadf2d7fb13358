'use strict'

/*
 * The load that a server can serve, and its effect on the application.
 *
 * The application has a small HTTP server, whose requests trace calls of the newest 2 % of the series. A client times its requests
 * to this server, first alone, then while 100 scrapers scrape once a second each. Then four connections scrape without a pause. Then
 * many connections are open without a request. The application runs in one process. The scrapers and the client run in
 * another process, the client in a thread of its own.
 */

const http = require('node:http')
const net = require('node:net')
const { setTimeout: sleep } = require('node:timers/promises')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { Application, SITES, batches } = require('../workload')

const SCRAPERS = 100
const CONNECTIONS = 4
const IDLE_CONNECTIONS = 1_000

const cases = ({ quick }) => {
  const series = quick ? 10_000 : 100_000
  const size = `${series / 1000}k series`
  const lines = [
    { name: 'request to the application, p50, no scraper' },
    { name: 'request to the application, p99, no scraper' },
    { name: `request to the application, p50, 100 scrapers at 1 s, ${size}`, headline: true },
    { name: `request to the application, p99, 100 scrapers at 1 s, ${size}`, headline: true },
    { name: `scrapes a second that 100 scrapers at 1 s get, ${size}`, unit: '/s', headline: true },
    { name: `scrapes a second, keep-alive, gzip, ${size}`, unit: '/s', headline: true },
    { name: 'idle connections held, of 1,000', unit: 'connections', headline: true }
  ]
  return [{ series, seconds: quick ? 2 : 8, lines, only: ['ours', '1.0.0', '@prometheus-io/client'] }]
}

/** Runs in the child process: an application with this many series and a small HTTP server that traces. */
async function measure ({ series, port }, create, { send, receive }) {
  const implementation = create({ port: create.anyPort ? 0 : port })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => implementation.trace(payload))
  const newest = Math.round(series * 0.02)
  const payloads = application.record(Array.from({ length: newest }, (_, n) => series - newest + n))
  let next = 0
  const server = http.createServer((request, response) => {
    for (let call = 0; call < 10; call++) implementation.trace(payloads[next++ % payloads.length])
    response.end('{"ok":true}')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  send({ port: implementation.port(), applicationPort: /** @type {net.AddressInfo} */ (server.address()).port })
  await receive()
}

/** Runs in the parent process: scrapes and times requests to the application. */
async function observe ({ seconds }, { send, receive }) {
  const { port, applicationPort } = await receive()
  await get(port, undefined).catch(() => sleep(1000))
  const alone = await latencies(applicationPort, seconds)

  const state = { isOver: false }
  let scrapes = 0
  const scrapers = Array.from({ length: SCRAPERS }, async (_, n) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    await sleep(n * 1000 / SCRAPERS)
    while (!state.isOver) {
      const start = performance.now()
      const isComplete = await get(port, agent).then(() => true, () => false)
      if (isComplete && !state.isOver) scrapes++
      await sleep(Math.max(isComplete ? 0 : 100, 1000 - (performance.now() - start)))
    }
    agent.destroy()
  })
  await sleep(1000) // until each scraper has begun
  scrapes = 0
  const start = performance.now()
  const loaded = await latencies(applicationPort, seconds)
  const held = scrapes / (performance.now() - start) * 1000
  state.isOver = true
  await Promise.all(scrapers)

  const rate = await throughput(port, seconds)
  const idle = await idleConnections(port)
  send('end')
  return { values: [percentile(alone, 0.5), percentile(alone, 0.99), percentile(loaded, 0.5), percentile(loaded, 0.99), held, rate, idle] }
}

/** Reads a page to its end. */
function get (port, agent) {
  return new Promise((resolve, reject) => {
    const headers = { 'Accept-Encoding': 'gzip', 'User-Agent': 'Prometheus/3', 'X-Prometheus-Scrape-Timeout-Seconds': '10' }
    const request = http.get({ port, host: 'localhost', path: '/metrics', agent, headers, timeout: 10_000 }, (response) => {
      response.on('error', reject).on('end', () => response.statusCode === 200 ? resolve(undefined) : reject(new Error(String(response.statusCode))))
      response.resume()
    })
    request.on('timeout', () => request.destroy(new Error('no page in time'))).on('error', reject)
  })
}

/** Returns the number of scrapes a second on a few connections, each of which scrapes without a pause. */
async function throughput (port, seconds) {
  const until = performance.now() + seconds * 1000
  let scrapes = 0
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (performance.now() < until) {
      await get(port, agent)
      if (performance.now() < until) scrapes++
    }
    agent.destroy()
  }))
  return scrapes / seconds
}

/** Opens connections and sends no request. Returns the number of connections that are open after two seconds. */
async function idleConnections (port) {
  const sockets = Array.from({ length: IDLE_CONNECTIONS }, () => net.connect({ port, host: 'localhost' }).on('error', () => {}))
  await sleep(2000)
  const open = sockets.filter((socket) => socket.readyState === 'open').length
  for (const socket of sockets) socket.destroy()
  return open
}

/** Starts a thread that sends requests to the application. Resolves to the milliseconds of each request. */
function latencies (port, seconds) {
  return new Promise((resolve, reject) => {
    new Worker(__filename, { workerData: { port, seconds } }).once('message', resolve).once('error', reject)
  })
}

/** Runs in that thread. Sends requests one after another on one connection, and returns the milliseconds of each. */
async function request ({ port, seconds }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const until = performance.now() + seconds * 1000
  const times = []
  while (performance.now() < until) {
    const start = performance.now()
    await new Promise((resolve, reject) => {
      http.get({ port, host: '127.0.0.1', agent }, (response) => response.on('end', resolve).resume()).on('error', reject)
    })
    times.push(performance.now() - start)
    await sleep(1)
  }
  return times
}

function percentile (values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

if (!isMainThread && workerData?.seconds !== undefined) request(workerData).then((times) => parentPort.postMessage(times))

module.exports = { cases, measure, observe, unit: 'ms' }
