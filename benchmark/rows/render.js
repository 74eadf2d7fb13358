'use strict'

/*
 * The page as a string inside the application: `metrics()`, and the `metrics()` of a register of the user's own. How long until it is
 * there, and how long the event loop stands still for it.
 */

const { Application, SITES, batches } = require('../workload')
const { watchStalls } = require('../stall')
const { median } = require('../statistics')

const TIMES = 7

const cases = ({ quick }) => {
  const series = quick ? 20_000 : 100_000
  const size = `${series / 1000}k series`
  return [
    { name: `metrics(), ${size}`, series, without: ['limit'] },
    { name: `metrics(), event loop blocked, ${size}`, series, stall: true, without: ['limit'] },
    { name: `a register's metrics(), ${size}`, series, register: true, only: ['ours', '1.0.0'] },
    { name: `a register's metrics(), event loop blocked, ${size}`, series, register: true, stall: true, only: ['ours', '1.0.0'] }
  ]
}

async function measure ({ series, stall, register }, create) {
  const own = register ? create.registry() : undefined
  const { trace, metrics } = create({ register: own })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => trace(payload))
  const render = own ? () => own.metrics() : metrics

  await render()
  const times = []
  for (let i = 0; i < TIMES; i++) {
    global.gc()
    const stopWatching = stall ? watchStalls() : null
    const start = performance.now()
    const page = await render()
    times.push(stopWatching ? stopWatching() : performance.now() - start)
    if (page.split('\n').length < series) throw new Error('the page lacks series')
  }
  return { value: median(times) }
}

module.exports = { cases, measure, unit: 'ms' }
