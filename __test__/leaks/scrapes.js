'use strict'

// One exporter, scraped over and over: over one connection, over new ones, with gzip and without.

const http = require('node:http')
const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')
const { memory, settled } = require('./measure')

const SCRAPES = Number(process.argv[2])

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

function scrape (port, number) {
  return new Promise((resolve, reject) => {
    const headers = number % 2 === 0 ? { 'Accept-Encoding': 'gzip' } : {}
    http.get({ host: '127.0.0.1', port, path: '/metrics', agent: number % 10 === 0 ? false : agent, headers }, (response) => {
      response.on('end', resolve).on('error', reject).resume()
    }).on('error', reject)
  })
}

async function scrapes (port, count) {
  for (let number = 0; number < count; number++) await scrape(port, number)
}

async function main () {
  const traceFunction = HypertracePrometheus({ port: 0 })
  for (let id = 1; id <= 50; id++) traceFunction(payload({ object: { id } }))
  const { port } = traceFunction.address()
  await scrapes(port, Math.max(500, SCRAPES / 4))
  const first = await memory()
  const before = await settled()
  await scrapes(port, SCRAPES)
  const after = await settled(before)
  const last = await memory()
  agent.destroy()
  await traceFunction.stop()
  console.log(JSON.stringify({ before, after, rss: last.rss - first.rss, heap: last.heap - first.heap }))
}

main()
