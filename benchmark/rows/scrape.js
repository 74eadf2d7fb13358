'use strict'

/*
 * A scrape over HTTP from another process. Measures the time until the last byte, and the longest stall of the application's event
 * loop. Then times scrapes in gzip, after calls of all series and after calls of the newest series only. The lower limit is a server
 * that has the bytes of our page in memory and only writes them.
 */

const http = require('node:http')
const { scrape } = require('../scrape')
const { Application, SITES, batches } = require('../workload')
const { watchStalls } = require('../stall')
const { median, isEnough } = require('../statistics')

const cases = ({ quick }) => {
  const most = quick ? 20_000 : 100_000
  return [1_000, 10_000, most].map((series) => {
    const size = `${series / 1000}k series`
    const aims = series === 100_000 ? [0.033, 0.02] : [] // with fewer series, the sample and the connection take most of the time
    const lines = [
      { name: `scrape, ${size}`, aim: aims[0], plot: 'scrape', x: series, headline: series === most },
      { name: `event loop stalled by a scrape, ${size}`, aim: aims[1], plot: 'stall', x: series, headline: series === most }
    ]
    const packed = [
      { name: `scrape in gzip, all counted since the last, ${size}`, aim: 0.2, headline: true },
      { name: `scrape in gzip, the newest 2 % counted since the last, ${size}`, aim: 0.02, headline: true }
    ]
    return { series, lines: series === most ? [...lines, ...packed] : lines }
  })
}

/** For each line, the work before the scrape that is timed. `null`: the line is the stall of the event loop, not the time of a scrape. */
const WORK = [{ counted: 0 }, null, { counted: 1, gzip: true }, { counted: 0.02, gzip: true }]

/** Runs in the child process: serves the page of an application with this many series. On request, counts calls or measures the stall. */
async function measure ({ series, port }, create, { send, receive }) {
  const isLimit = create.name === 'limit'
  const implementation = isLimit ? require('../implementations').ours() : create({ port: create.anyPort ? 0 : port })
  const application = new Application()
  application.grow(series / SITES)
  const count = (from) => {
    for (const numbers of batches(series - from, 1000)) {
      application.record(numbers.map((number) => from + number)).forEach((payload) => implementation.trace(payload))
    }
  }
  count(0)
  if (isLimit) await serve(await implementation.metrics(), port)

  send({ port: isLimit ? port : implementation.port() })
  for (let work = await receive(); work !== 'end'; work = await receive()) {
    if (work === null) {
      const stopWatching = watchStalls()
      send('watching')
      await receive()
      send(stopWatching())
    } else {
      count(Math.round(series * (1 - work.counted)))
      send('counted')
    }
  }
}

function serve (page, port) {
  const body = Buffer.from(page)
  const server = http.createServer((request, response) => response.end(body))
  return new Promise((resolve) => server.listen(port, () => resolve(undefined)))
}

/** Runs in the parent process: scrapes. */
async function observe ({ series, lines, implementation }, { send, receive }) {
  const { port } = await receive()
  const size = await firstScrape(port)
  if (size < series * 50) throw new Error(`a page of ${size} bytes for ${series} series`)

  const medians = []
  for (const work of implementation === 'limit' ? WORK.slice(0, 1) : WORK.slice(0, lines.length)) {
    if (work?.gzip) await scrape(port, { gzip: true })
    const values = []
    while (!isEnough(values)) {
      send(work)
      await receive()
      const start = performance.now()
      await scrape(port, { gzip: work?.gzip })
      const time = performance.now() - start
      if (work === null) send('enough')
      values.push(work === null ? await receive() : time)
    }
    medians.push(median(values))
  }
  send('end')
  return { values: medians }
}

/** Waits until the server listens, then does the same as `scrape`. */
async function firstScrape (port) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await scrape(port)
    } catch (error) {
      if (error.code !== 'ECONNREFUSED' || attempt === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

module.exports = { cases, measure, observe, firstScrape, unit: 'ms' }
