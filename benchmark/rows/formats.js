'use strict'

/*
 * A scrape over HTTP in each format, in turn from one process, so that the values can be compared. Also measures the longest stall
 * of the event loop during a scrape in protobuf. Only this package is measured: the other implementations have no protobuf format.
 */

const { measure, firstScrape } = require('./scrape')
const { scrape } = require('../scrape')
const { median } = require('../statistics')

/**
 * `counted`: the newest series that are called before each scrape, as a part of all series; `stall`: the stall is measured, not the time.
 *
 * @type {{ name: string, counted: number, format: import('../scrape').Format, stall?: boolean }[]}
 */
const WORK = [
  { name: 'scrape in text', counted: 0, format: {} },
  { name: 'scrape in protobuf', counted: 0, format: { protobuf: true } },
  { name: 'scrape in text and gzip, all counted since the last', counted: 1, format: { gzip: true } },
  { name: 'scrape in protobuf and gzip, all counted since the last', counted: 1, format: { protobuf: true, gzip: true } },
  { name: 'scrape in text and gzip, the newest 2 % counted since the last', counted: 0.02, format: { gzip: true } },
  { name: 'scrape in protobuf and gzip, the newest 2 % counted since the last', counted: 0.02, format: { protobuf: true, gzip: true } },
  { name: 'event loop stalled by a scrape in protobuf', counted: 0, format: { protobuf: true }, stall: true }
]

const cases = ({ quick }) => {
  const series = quick ? 20_000 : 100_000
  const lines = WORK.map(({ name }) => ({ name: `${name}, ${series / 1000}k series`, headline: name.includes('protobuf') }))
  return [{ series, lines, only: ['ours'] }]
}

/** Runs in the parent process: scrapes. */
async function observe ({ quick }, { send, receive }) {
  const { port } = await receive()
  await firstScrape(port)
  const times = WORK.map(() => [])
  for (let round = 0; round < (quick ? 5 : 15); round++) {
    for (const [index, { counted, format, stall }] of WORK.entries()) {
      // This scrape fills the cache with the ranges as they are before the calls.
      if (format.gzip) await scrape(port, format)
      send(stall ? null : { counted })
      await receive()
      const start = performance.now()
      await scrape(port, format)
      const time = performance.now() - start
      if (stall) send('enough')
      times[index].push(stall ? await receive() : time)
    }
  }
  send('end')
  return { values: times.map(median) }
}

module.exports = { cases, measure, observe, unit: 'ms' }
