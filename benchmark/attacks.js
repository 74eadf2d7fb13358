'use strict'

/*
 * `npm run bench:attacks`: scrapes while other clients attack the server. Attackers run in a process of their own on the same
 * machine and from the same address; their number is fixed, and they end with the measurement.
 *
 *   node benchmark/attacks.js [--series=100000] [--only=silent,summaries,slow,idle]
 */

const { fork } = require('node:child_process')
const http = require('node:http')
const net = require('node:net')
const { parseArgs } = require('node:util')
const { median } = require('./statistics')

const HOST = '127.0.0.1'
const SCRAPES = 20
const INTERVAL_MS = 100
const BEARER = 'secret'
const LABELS = 'object_id,object_classname,caller_functionname,caller_filename,id,parent_object_id,parent_object_classname'

/** Attacks by name. Each starts its clients at a port. A client that is disconnected connects again. */
const ATTACKS = {
  none: () => {},
  silent: (port) => repeat(1_040, (again) => {
    net.connect(port, HOST).on('error', () => {}).on('close', again)
  }),
  summaries: (port) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
    repeat(64, (again) => {
      http.get({ host: HOST, port, agent, path: `/summary.json?by=${LABELS}&limit=1000` }, (response) => {
        response.resume().on('end', again).on('error', again)
      }).on('error', again)
    })
  },
  slow: (port) => repeat(64, (again) => {
    const socket = net.connect(port, HOST, () => socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    // 30 kB a second: more than what counts as stalled.
    const timer = setInterval(() => socket.read(3_000), 100)
    socket.pause().on('error', () => {}).on('close', () => { clearInterval(timer); again() })
  }),
  idle: (port) => repeat(1_040, (again) => {
    const socket = net.connect(port, HOST, () => socket.write('GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    socket.on('error', () => {}).on('close', again).resume()
  })
}

/** Starts clients, each of which starts again shortly after it has ended. */
function repeat (count, start) {
  const run = () => start(() => setTimeout(run, 5))
  for (let i = 0; i < count; i++) run()
}

function scrape (port) {
  return new Promise((resolve) => {
    const begin = performance.now()
    const end = (status) => resolve({ status, ms: performance.now() - begin })
    const headers = { 'accept-encoding': 'gzip', authorization: `Bearer ${BEARER}` }
    http.get({ host: HOST, port, path: '/metrics', agent: false, headers }, (response) => {
      response.resume().on('end', () => end(response.statusCode)).on('error', (error) => end(error.code))
    }).on('error', (error) => end(error.code))
  })
}

async function measure (name, series) {
  const trace = require('..')({
    port: 0, host: HOST, maxSeries: Math.ceil(series * 1.2), auth: name === 'silent' ? { bearer: BEARER } : undefined
  })
  for (let i = 0; i < series; i++) {
    trace({
      id: 'call',
      object: { className: `Class${i % 7}`, id: i, props: null },
      parentObject: { className: 'Parent', id: i % 333, props: null },
      caller: { functionName: `function${i % 20}`, filename: `/application/file${i % 50}.js`, line: i % 100, column: 1, props: null }
    })
  }
  const { port } = trace.address()
  for (let i = 0; i < 3; i++) await scrape(port)
  const before = process.memoryUsage.rss()
  const attackers = fork(__filename, [name, String(port)])
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const results = []
  let peak = 0
  for (let i = 0; i < SCRAPES; i++) {
    results.push(await scrape(port))
    peak = Math.max(peak, process.memoryUsage.rss())
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  }
  attackers.kill('SIGKILL')
  await trace.stop()
  const times = results.map(({ ms }) => ms)
  const complete = results.filter(({ status }) => status === 200).length
  return [
    name, `${complete} of ${SCRAPES}`, median(times).toFixed(1), Math.max(...times).toFixed(1), ((peak - before) / 1e6).toFixed(0)
  ]
}

async function main () {
  const { values } = parseArgs({ options: { series: { type: 'string', default: '100000' }, only: { type: 'string' } } })
  const names = values.only ? values.only.split(',') : Object.keys(ATTACKS)
  console.log('| attack | scrapes with status 200 | median ms | maximum ms | memory, MB more |\n| --- | ---: | ---: | ---: | ---: |')
  for (const name of names) console.log(`| ${(await measure(name, Number(values.series))).join(' | ')} |`)
  process.exit()
}

const [name, port] = process.argv.slice(2)
if (process.send) ATTACKS[name](Number(port))
else main()
