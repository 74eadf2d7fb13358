'use strict'

/*
 * A scrape over HTTP from another process: how long until the last byte, and how long the application's event loop stands still;
 * then asked for in gzip, by who would take both, when all series or only the newest were counted since the last one.
 * The limit is a server that has the bytes of our page ready and writes them at once.
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
    const aims = series === 100_000 ? [0.033, 0.02] : [] // of fewer, the sample and the connection are most
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

/** What is done before a scrape that is timed, for each line: `null` where the event loop is watched. */
const WORK = [{ counted: 0 }, null, { counted: 1, gzip: true }, { counted: 0.02, gzip: true }]

/** In the child: an application with so many series, served; then, when told to, calls, or a watch on its event loop. */
async function measure ({ series, port }, create, { tell, told }) {
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

  tell({ port: isLimit ? port : implementation.port() })
  for (let work = await told(); work !== 'end'; work = await told()) {
    if (work === null) {
      const stopWatching = watchStalls()
      tell('watching')
      await told()
      tell(stopWatching())
    } else {
      count(Math.round(series * (1 - work.counted)))
      tell('counted')
    }
  }
}

function serve (page, port) {
  const body = Buffer.from(page)
  const server = http.createServer((request, response) => response.end(body))
  return new Promise((resolve) => server.listen(port, () => resolve(undefined)))
}

/** In the parent: scrapes. */
async function observe ({ series, lines, implementation }, { tell, told }) {
  const { port } = await told()
  const size = await firstScrape(port)
  if (size < series * 50) throw new Error(`a page of ${size} bytes for ${series} series`)

  const medians = []
  for (const work of implementation === 'limit' ? WORK.slice(0, 1) : WORK.slice(0, lines.length)) {
    if (work?.gzip) await scrape(port, work.gzip)
    const values = []
    while (!isEnough(values)) {
      tell(work)
      await told()
      const start = performance.now()
      await scrape(port, work?.gzip)
      const time = performance.now() - start
      if (work === null) tell('enough')
      values.push(work === null ? await told() : time)
    }
    medians.push(median(values))
  }
  tell('end')
  return { values: medians }
}

/** As `scrape`, from a server that may be about to listen. */
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

module.exports = { cases, measure, observe, unit: 'ms' }
