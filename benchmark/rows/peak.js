'use strict'

/*
 * The memory of a scrape: the peak of the process's resident memory during scrapes, minus its resident memory before the first scrape.
 * Another process scrapes, first without compression and then with gzip. Memory that the first scrapes do not release is in both values.
 *
 * Only Linux can reset the peak, so the row exists only there.
 */

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { scrape } = require('../scrape')
const { Application, SITES, batches } = require('../workload')

/** The number of scrapes of each kind. The second scrape uses the caches that the first scrape has filled. */
const SCRAPES = 2

const cases = ({ quick }) => {
  if (process.platform !== 'linux') return []
  const series = quick ? 100_000 : 1_000_000
  const size = `${(series / 1000).toLocaleString('en-GB')}k series`
  const lines = (...kinds) => kinds.map((kind) => ({ name: `memory during a scrape${kind}, ${size}`, headline: true }))
  return [
    { series, lines: lines('', ' in gzip'), only: ['ours', '1.0.0'] },
    { series, lines: lines(' in protobuf', ' in protobuf and gzip'), protobuf: true, only: ['ours'] }
  ]
}

/** Runs in the child process: serves the page of an application with this many series, and sends the peak for each kind of scrape. */
async function measure ({ series, lines, port }, create, { send, receive }) {
  const implementation = create({ port: create.anyPort ? 0 : port, maxSeries: series + 1 })
  const application = new Application()
  application.grow(series / SITES)
  for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => implementation.trace(payload))

  const before = await settled()
  for (let line = 0; line < lines.length; line++) {
    fs.writeFileSync('/proc/self/clear_refs', '5')
    send({ port: implementation.port() })
    await receive()
    send((peak() - before) / 1e6)
  }
}

/** Returns the resident memory after garbage collections, and after V8 has released memory in the background. */
async function settled () {
  for (let i = 0; i < 4; i++) {
    global.gc()
    await sleep(250)
  }
  return statusOf('VmRSS')
}

const peak = () => statusOf('VmHWM')

function statusOf (name) {
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'latin1').match(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm'))
  return Number(kilobytes) * 1024
}

/** Runs in the parent process: scrapes. */
async function observe ({ lines, protobuf }, { send, receive }) {
  const values = []
  for (const [index] of lines.entries()) {
    const { port } = await receive()
    for (let i = 0; i < SCRAPES; i++) await scrape(port, { protobuf, gzip: index === 1 })
    send('scraped')
    values.push(await receive())
  }
  return { values }
}

module.exports = { cases, measure, observe, unit: 'MB' }
