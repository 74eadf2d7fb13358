'use strict'

/*
 * Computes exact increases from raw samples. The functions of Prometheus extrapolate to the ends of a range, so that their results
 * only approximate the number of calls.
 */

/**
 * @typedef {[seconds: number, value: string]} Sample
 * @typedef {{ metric: Record<string, string>, values: Sample[] }} Series
 * @typedef {{ metric: Record<string, string>, from: number, to: number }} Fall
 * @typedef {{ at: number, ok: boolean }} Scrape
 */

/**
 * Returns all samples of a selector that a Prometheus server has, by series.
 *
 * @param {{ api (resource: string): Promise<{ result: Series[] }> }} prometheus
 * @param {string} selector
 */
async function samplesOf (prometheus, selector) {
  return (await prometheus.api(`query?query=${encodeURIComponent(`${selector}[10m]`)}`)).result
}

/**
 * Returns the sum of the increases of all series. As in `increase()`, a value that fell has restarted at 0. The first sample of a
 * series adds nothing.
 *
 * @param {Series[]} series
 */
function increaseOf (series) {
  let increase = 0
  for (const { before, value } of steps(series)) increase += value < before ? value : value - before
  return increase
}

/**
 * Returns the samples that pages showed. A Prometheus server that reads start timestamps adds a sample of 0 at the start of a
 * series. If the series started during a scrape, the added sample is later than the first one.
 *
 * @param {Scrape[]} scrapes
 * @param {Series[]} series
 */
function shownBy (scrapes, series) {
  const times = new Set(scrapes.map(({ at }) => at))
  return series.map(({ metric, values }) => ({ metric, values: values.filter(([seconds]) => times.has(seconds * 1000)) }))
}

/**
 * @param {Series[]} series
 * @returns {Fall[]}
 */
function fallsOf (series) {
  return steps(series).filter(({ before, value }) => value < before)
    .map(({ metric, before, value }) => ({ metric, from: before, to: value }))
}

/**
 * Returns the scrapes of a job. `at` is the start of a scrape in milliseconds.
 *
 * @param {Parameters<typeof samplesOf>[0]} prometheus
 * @param {string} job
 * @returns {Promise<Scrape[]>}
 */
async function scrapesOf (prometheus, job) {
  const [up] = await samplesOf(prometheus, `up{job="${job}"}`)
  return (up?.values ?? []).map(([seconds, value]) => ({ at: seconds * 1000, ok: value === '1' }))
}

/** @param {Series[]} series */
function steps (series) {
  return series.flatMap(({ metric, values }) =>
    values.slice(1).map(([, value], index) => ({ metric, before: Number(values[index][1]), value: Number(value) })))
}

module.exports = { samplesOf, scrapesOf, shownBy, increaseOf, fallsOf }
