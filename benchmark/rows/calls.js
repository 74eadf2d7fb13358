'use strict'

/*
 * The time of one call of the trace function: with a label set that was counted before, for several numbers of series, and with a
 * new label set.
 *
 * hypertrace makes the payloads of a batch just before the batch is timed, so that they are in the processor's caches. The result
 * is the median batch, because only a few batches contain a garbage collection.
 */

const { Application, SITES, PROPS, batches } = require('../workload')
const { median } = require('../statistics')

const BATCH = 500

const cases = ({ quick }) => {
  const most = quick ? 20_000 : 100_000
  const few = quick ? 20_000 : 50_000
  const known = [1, 1_000, most].map((series) => {
    const name = `known call, ${series.toLocaleString('en-GB')} series`
    return { series, lines: [{ name, aim: series === most ? 0.2 : 0.13, plot: 'calls', x: series, headline: series > 1 }] }
  })
  return [
    ...known,
    { series: 1_000, withProps: true, lines: [{ name: 'known call, 1,000 series, 4 allowed props', aim: 0.2, headline: true }] },
    { series: few, first: true, lines: [{ name: 'first call of a label set', aim: 1, headline: true }], without: ['limit'] },
    { series: few, first: true, withProps: true, lines: [{ name: 'first call of a label set, 4 allowed props', aim: 1 }], without: ['limit'] }
  ]
}

function measure ({ series, withProps, first, quick }, create) {
  const { trace } = create({ allowedProps: withProps ? PROPS : [] })
  const application = new Application({ withProps })
  application.grow(Math.ceil(series / SITES))
  return { values: [first ? firstCalls(application, trace, series) : knownCalls(application, trace, series, quick)] }
}

function firstCalls (application, trace, series) {
  const times = []
  for (const numbers of batches(series, BATCH)) times.push(timeOf(application.record(numbers), trace))
  return median(times)
}

function knownCalls (application, trace, series, quick) {
  for (const numbers of batches(series, BATCH)) timeOf(application.record(numbers), trace)
  for (let batch = 0; batch < 200; batch++) timeOf(application.recordSpread(series, BATCH), trace)
  global.gc()
  const times = []
  for (let batch = 0; batch < (quick ? 200 : 600); batch++) times.push(timeOf(application.recordSpread(series, BATCH), trace))
  return median(times)
}

/** Times the calls of a batch, and returns the nanoseconds of one call. */
function timeOf (payloads, trace) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < payloads.length; i++) trace(payloads[i])
  return Number(process.hrtime.bigint() - start) / payloads.length
}

module.exports = { cases, measure, unit: 'ns' }
