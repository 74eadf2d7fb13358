'use strict'

/*
 * A scrape over HTTP from another process: how long until the last byte, and how long the application's event loop stands still.
 * The limit is a server that has the bytes of our page ready and writes them at once.
 */

const http = require('node:http')
const { Application, SITES, batches } = require('../workload')
const { watchStalls } = require('../stall')
const { median } = require('../statistics')

const TIMES = 7

const cases = ({ quick }) => [1_000, 10_000, quick ? 20_000 : 100_000].flatMap((series) => {
  const size = `${series / 1000}k series`
  return [
    { name: `scrape, ${size}`, series },
    { name: `event loop stalled by a scrape, ${size}`, series, stall: true, without: ['limit'] }
  ]
})

/** In the child: an application with so many series, served; then, when told to, a watch on its event loop. */
async function measure ({ series, port }, create, { tell, told }) {
  const isLimit = create.name === 'limit'
  const implementation = isLimit ? require('../implementations').ours() : create({ port: create.anyPort ? 0 : port })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) {
    application.record(numbers).forEach((payload) => implementation.trace(payload))
  }
  if (isLimit) await serve(await implementation.metrics(), port)

  tell({ port: isLimit ? port : implementation.port() })
  while (await told() === 'watch') {
    const stopWatching = watchStalls()
    tell('watching')
    await told()
    tell(stopWatching())
  }
}

function serve (page, port) {
  const body = Buffer.from(page)
  const server = http.createServer((request, response) => response.end(body))
  return new Promise((resolve) => server.listen(port, () => resolve(undefined)))
}

/** In the parent: scrapes. */
async function observe ({ stall, series }, { tell, told }) {
  const { port } = await told()
  const size = await scrape(port)
  if (size < series * 50) throw new Error(`a page of ${size} bytes for ${series} series`)

  const values = []
  for (let i = 0; i < TIMES; i++) {
    if (stall) {
      tell('watch')
      await told()
      await scrape(port)
      tell('enough')
      values.push(await told())
    } else {
      const start = performance.now()
      await scrape(port)
      values.push(performance.now() - start)
    }
  }
  tell('end')
  return { value: median(values) }
}

/** The number of bytes of the page. */
function scrape (port) {
  return new Promise((resolve, reject) => {
    http.get({ port, host: 'localhost', path: '/metrics', agent: false }, (response) => {
      let size = 0
      response.on('data', (chunk) => { size += chunk.length })
      response.on('end', () => resolve(size))
    }).on('error', reject)
  })
}

module.exports = { cases, measure, observe, unit: 'ms' }
