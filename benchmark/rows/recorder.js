'use strict'

/*
 * The cost of the recorder: the time of a known call, the CPU time of the process, the CPU time of the server's thread and the memory
 * of the process, each with and without the recorder. There is no scrape and no live page meanwhile.
 *
 * Only Linux reports the CPU time of one thread of the process, so only Linux has these lines.
 */

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const calls = require('./calls')
const { Application, SITES, batches } = require('../workload')

const THREAD = 'hypertrace-http'
const KINDS = [{ history: 900, kind: 'with the recorder' }, { history: 0, kind: 'without the recorder' }]

const cases = ({ quick }) => {
  const sizes = quick ? [0, 1_000] : [0, 1_000, 100_000, 1_000_000]
  const size = (series) => `${series.toLocaleString('en-GB')} series`
  const of = (work, series, unit, names) => KINDS.map(({ history, kind }) => ({
    work, series, history, only: ['ours'], lines: names.map((name) => ({ name: `${name}, ${kind}`, unit, headline: series === 1_000 ? work === 'calls' : series === 100_000 }))
  }))
  return [
    ...of('calls', 1_000, 'ns', ['known call, 1,000 series']),
    ...sizes.flatMap((series) => of('idle', series, '% of a core', [`CPU of an idle process, ${size(series)}`])),
    ...(process.platform === 'linux'
      ? sizes.slice(1).flatMap((series) => of('busy', series, '% of a core', [`CPU of the server's thread, ${size(series)}, each called once a second`]))
      : []),
    ...of('memory', quick ? 1_000 : 100_000, 'MB', [`memory of a process, ${size(quick ? 1_000 : 100_000)}, each called once a second`])
  ]
}

async function measure ({ work, series, history, quick }, create) {
  const implementation = create({ port: 0, history, maxSeries: series + 1 })
  if (work === 'calls') return calls.measure({ series, quick }, () => implementation)

  const application = new Application()
  application.grow(series / SITES)
  const callAll = () => { for (const numbers of batches(series, 1000)) application.record(numbers).forEach((payload) => implementation.trace(payload)) }
  callAll()
  global.gc()
  const seconds = quick ? 3 : 10
  await sleep(2000) // the first readings find every series
  if (work === 'idle') return { values: [await usedBy(() => sleep(seconds * 1000), () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6 })] }
  const callEverySecond = async () => {
    for (let second = 0; second < seconds; second++) {
      callAll()
      await sleep(1000)
    }
  }
  if (work === 'busy') return { values: [await usedBy(callEverySecond, serverSeconds)] }
  await callEverySecond()
  for (let i = 0; i < 4; i++) global.gc()
  return { values: [process.memoryUsage.rss() / 1e6] }
}

/** Returns the CPU time of some work, in percent of the elapsed time. `clock` returns the CPU time up to now, in seconds. */
async function usedBy (work, clock) {
  const [begin, before] = [performance.now(), clock()]
  await work()
  return (clock() - before) / (performance.now() - begin) * 1e5
}

/** Returns the CPU time of the server's thread, in seconds. */
function serverSeconds () {
  const folder = '/proc/self/task'
  const thread = fs.readdirSync(folder).find((id) => fs.readFileSync(`${folder}/${id}/comm`, 'utf8').trim() === THREAD)
  return Number(fs.readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

module.exports = { cases, measure, unit: 'ns' }
