'use strict'

/*
 * `npm run bench:attacks`: scrapes while other clients attack the server. The server and the attackers run in processes of their
 * own, on the same machine and with the same address. The number of attackers is fixed. They end with the measurement.
 *
 *   node benchmark/attacks.js [--series=100000] [--coding=gzip] [--only=silent,summaries,slow,idle]
 */

const { fork } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { parseArgs } = require('node:util')
const { median } = require('./statistics')

const HOST = '127.0.0.1'
const SCRAPES = 20
const INTERVAL_MS = 100
/** Scrapes before the memory is measured: the cache of the gzip ranges is then full. */
const WARM_UP = 10
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
  slow: (port) => readSlowly(port, 64),
  'many slow': (port) => readSlowly(port, 200),
  idle: (port) => repeat(1_040, (again) => {
    const socket = net.connect(port, HOST, () => socket.write('GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    socket.on('error', () => {}).on('close', again).resume()
  })
}

/** Starts clients that read a page at 30 kB a second, which is faster than a client that the server treats as stalled. */
function readSlowly (port, count) {
  repeat(count, (again) => {
    const socket = net.connect(port, HOST, () => socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    const timer = setInterval(() => socket.read(3_000), 100)
    socket.pause().on('error', () => {}).on('close', () => { clearInterval(timer); again() })
  })
}

/** Starts clients, each of which starts again shortly after it has ended. */
function repeat (count, start) {
  const run = () => start(() => setTimeout(run, 5))
  for (let i = 0; i < count; i++) run()
}

function scrape (port, coding = 'gzip') {
  return new Promise((resolve) => {
    const begin = performance.now()
    const end = (status) => resolve({ status, ms: performance.now() - begin })
    const headers = { 'accept-encoding': coding, authorization: `Bearer ${BEARER}` }
    http.get({ host: HOST, port, path: '/metrics', agent: false, headers }, (response) => {
      response.resume().on('end', () => end(response.statusCode)).on('error', (error) => end(error.code))
    }).on('error', (error) => end(error.code))
  })
}

/** Serves a page of many series. Sends its port to the parent process, then its resident memory for each message that it receives. */
function serve (name, series) {
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
  process.send(trace.address().port)
  process.on('message', () => process.send(process.memoryUsage.rss()))
}

async function measure (name, series, coding) {
  const server = fork(__filename, ['serve', name, String(series)])
  const [port] = await once(server, 'message')
  const memory = async () => {
    server.send('memory')
    return (await once(server, 'message'))[0]
  }
  for (let i = 0; i < WARM_UP; i++) await scrape(port, coding)
  const before = await memory()
  const attackers = fork(__filename, ['attack', name, String(port)])
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const results = []
  let peak = 0
  for (let i = 0; i < SCRAPES; i++) {
    results.push(await scrape(port, coding))
    peak = Math.max(peak, await memory())
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  }
  attackers.kill('SIGKILL')
  server.kill('SIGKILL')
  const times = results.map(({ ms }) => ms)
  const complete = results.filter(({ status }) => status === 200).length
  return [
    name, `${complete} of ${SCRAPES}`, median(times).toFixed(1), Math.max(...times).toFixed(1), ((peak - before) / 1e6).toFixed(0)
  ]
}

async function main () {
  const { values } = parseArgs({
    options: { series: { type: 'string', default: '100000' }, coding: { type: 'string' }, only: { type: 'string' } }
  })
  const names = values.only ? values.only.split(',') : Object.keys(ATTACKS)
  console.log('| attack | scrapes with status 200 | median ms | maximum ms | growth of the memory, MB |\n| --- | ---: | ---: | ---: | ---: |')
  for (const name of names) console.log(`| ${(await measure(name, Number(values.series), values.coding)).join(' | ')} |`)
  process.exit()
}

const [role, name, number] = process.argv.slice(2)
if (role === 'serve') serve(name, Number(number))
else if (role === 'attack') ATTACKS[name](Number(number))
else main()
