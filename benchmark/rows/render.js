'use strict'

/*
 * The page as a string in the application, from `metrics()` and from the `metrics()` of a registry. Measures the time until the page
 * is complete, and the longest stall of the event loop.
 */

const { Application, SITES, batches } = require('../workload')
const { watchStalls } = require('../stall')
const { median, isEnough } = require('../statistics')

const cases = ({ quick }) => {
  const series = quick ? 20_000 : 100_000
  const size = `${series / 1000}k series`
  const lines = (prefix, aim) => [{ name: `${prefix}metrics(), ${size}`, aim, headline: true }, { name: `${prefix}metrics(), event loop blocked, ${size}` }]
  return [
    { lines: lines('', 0.2), series, without: ['limit'] },
    { lines: lines('a register\'s ', 1), series, register: true, only: ['ours', '1.0.0'] }
  ]
}

async function measure ({ series, register }, create) {
  const own = register ? create.registry() : undefined
  const { trace, metrics } = create({ register: own })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => trace(payload))
  const render = own ? () => own.metrics() : metrics

  const page = await render()
  if (page.split('\n').length < series) throw new Error('the page lacks series')
  const values = []
  for (const watched of [false, true]) {
    const times = []
    while (!isEnough(times)) {
      global.gc()
      const stopWatching = watched ? watchStalls() : null
      const start = performance.now()
      await render()
      times.push(stopWatching ? stopWatching() : performance.now() - start)
    }
    values.push(median(times))
  }
  return { values }
}

module.exports = { cases, measure, unit: 'ms' }
