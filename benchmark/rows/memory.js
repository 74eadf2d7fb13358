'use strict'

/*
 * The memory of a series: the growth of the process's resident memory divided by the number of series. Before the first reading,
 * the application's objects exist and every payload has been made once; garbage is collected before both readings.
 */

const { Application, SITES, PROPS, batches } = require('../workload')

const cases = ({ quick }) => {
  // With fewer series, most of the difference would be memory that the heap has reserved.
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

/** Gives V8's young generation a fixed size: otherwise its growth would be most of the difference. */
const execArgv = ['--min-semi-space-size=16', '--max-semi-space-size=16']

module.exports = { cases, measure, execArgv, unit: 'bytes' }
