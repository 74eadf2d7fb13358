'use strict'

/*
 * How much more memory a process has while it is scraped: the peak of what is resident, over what was resident before its first scrape,
 * which comes from another process. First a plain one, then one in gzip, of which something may be kept for the next; what the plain
 * one left counts in both.
 *
 * Only Linux tells a peak that can be set back, so only there is anything measured.
 */

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { scrape } = require('../scrape')
const { Application, SITES, batches } = require('../workload')

/** Of each kind: the second finds what the first has left. */
const SCRAPES = 2

const cases = ({ quick }) => {
  if (process.platform !== 'linux') return []
  const series = quick ? 100_000 : 1_000_000
  const size = `${(series / 1000).toLocaleString('en-GB')}k series`
  const lines = ['memory during a scrape', 'memory during a scrape in gzip'].map((name) => ({ name: `${name}, ${size}`, headline: true }))
  return [{ series, lines, only: ['ours', '1.0.0'] }]
}

/** In the child: an application with so many series, served; then, for each kind of scrape, the peak. */
async function measure ({ series, lines, port }, create, { tell, told }) {
  const implementation = create({ port: create.anyPort ? 0 : port, maxSeries: series + 1 })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => implementation.trace(payload))

  const before = await settled()
  for (let line = 0; line < lines.length; line++) {
    fs.writeFileSync('/proc/self/clear_refs', '5')
    tell({ port: implementation.port() })
    await told()
    tell((peak() - before) / 1e6)
  }
}

/** Resident memory once there is nothing to collect, and what V8 gives back in the background is given back. */
async function settled () {
  for (let i = 0; i < 4; i++) {
    global.gc()
    await sleep(250)
  }
  return figure('VmRSS')
}

const peak = () => figure('VmHWM')

function figure (name) {
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'latin1').match(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm'))
  return Number(kilobytes) * 1024
}

/** In the parent: scrapes. */
async function observe ({ series, lines }, { tell, told }) {
  const values = []
  for (const [index] of lines.entries()) {
    const { port } = await told()
    for (let i = 0; i < SCRAPES; i++) await scrape(port, index === 1)
    tell('scraped')
    values.push(await told())
  }
  return { values }
}

module.exports = { cases, measure, observe, unit: 'MB' }
