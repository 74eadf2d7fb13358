'use strict'

/*
 * What a series costs in memory, all told: how much more of it the process has resident with them than without. The application's
 * own objects are there before, every payload has been made once, and garbage is collected on both sides.
 */

const { Application, SITES, PROPS, batches } = require('../workload')

const cases = ({ quick }) => {
  // Of fewer, what the heap has in reserve is most of the difference.
  const sizes = quick ? [50_000] : [50_000, 100_000, 150_000]
  const most = quick ? 50_000 : 100_000
  return [
    ...sizes.map((series) => ({ series, lines: [{ name: `memory a series, ${series / 1000}k series`, aim: 0.25, plot: 'memory', x: series, headline: series === 100_000 }], without: ['limit'] })),
    { series: most, withProps: true, lines: [{ name: `memory a series, 4 allowed props, ${most / 1000}k series`, aim: 0.25, headline: true }], without: ['limit'] }
  ]
}

function measure ({ series, withProps }, create) {
  const { trace } = create({ allowedProps: withProps ? PROPS : [] })
  const application = new Application({ withProps })
  application.grow(series / SITES + 1)

  const run = (use) => { for (const numbers of batches(series, 1000)) application.record(numbers).forEach(use) }
  application.record([series]).forEach((payload) => trace(payload))
  for (let i = 0; i < 3; i++) run(() => {})
  const before = resident()
  for (let i = 0; i < 2; i++) run((payload) => trace(payload))
  return { values: [(resident() - before) / series] }
}

function resident () {
  for (let i = 0; i < 4; i++) global.gc()
  return process.memoryUsage.rss()
}

/** V8 doubles its room for young objects now and then, which would be most of the difference. */
const execArgv = ['--min-semi-space-size=16', '--max-semi-space-size=16']

module.exports = { cases, measure, execArgv, unit: 'bytes' }
