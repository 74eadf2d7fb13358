'use strict'

/*
 * A real Prometheus scrapes four processes while members and openers are killed at random, and replaced. Each process counts
 * series of its own, so no series may fall. CLUSTER_KILLS sets the number of kills.
 */

const { describe, test } = require('node:test')
const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')

const { createCluster } = require('./cluster/processes')
const { samplesOf, scrapesOf, increaseOf, fallsOf } = require('./rates/samples')
const { startPrometheus } = require('./support/prometheus')
const { createRandom } = require('./support/random')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const KILLS = Number(process.env.CLUSTER_KILLS ?? 8)
const PROCESSES = 4
const JOB = 'cluster'

/** @type {Record<string, { program: 'prometheus' | 'prometheus3', options: string[] }>} */
const SERVERS = {
  'Prometheus 2': { program: 'prometheus', options: [] },
  'Prometheus 3 with start timestamps': { program: 'prometheus3', options: ['--enable-feature=created-timestamp-zero-ingestion'] }
}

describe(`${KILLS} kills at random: Prometheus has the counted calls, no series falls, and nothing is left`, { concurrency: true }, () => {
  for (const [server, { program, options }] of Object.entries(SERVERS)) {
    test(server, { skip: lacks(program), timeout: 120_000 + 3000 * KILLS }, (t) => killAtRandom(t, program, options))
  }
})

/** Each server scrapes other processes. If two servers scraped the same processes, one of them would not see each series at 0 first. */
async function killAtRandom (t, program, options) {
  const seed = Number(process.env.SEED ?? Date.now() % 100_000)
  const random = createRandom(seed)
  t.diagnostic(`SEED=${seed}`)
  const cluster = await createCluster(t, { collectDefaults: 'hypertrace' })
  const all = []
  const alive = []
  const start = async () => {
    const one = await startCounting(cluster, all.length)
    all.push(one)
    alive.push(one)
  }
  for (let n = 0; n < PROCESSES; n++) await start()
  const prometheus = await startPrometheus(t, { [JOB]: { target: `127.0.0.1:${cluster.port}` } }, { program, options })
  const scraped = (since) => until(async () =>
    (await scrapesOf(prometheus, JOB)).filter(({ at, ok }) => ok && at > since).length >= 3, 'three more scrapes')

  await scraped(0)
  let openers = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(200 + random.below(1000))
    const opener = openerOf(cluster)
    const isOpener = await Promise.all(alive.map(async (one) => await one.number() === opener))
    const victim = Math.max(kill % 2 === 0 ? isOpener.indexOf(true) : random.below(alive.length), 0)
    const [one] = alive.splice(victim, 1)
    openers += isOpener[victim] ? 1 : 0
    await one.end()
    await start()
  }
  assert.ok(openers >= KILLS / 2 - 1, `${openers} openers were killed`)
  await scraped(Date.now())
  for (const one of alive) one.child.stdin.write('pause\n')
  await Promise.all(alive.map((one) => one.line(/^paused$/)))
  await scraped(Date.now())

  const total = all.reduce((sum, one) => sum + one.made(), 0)
  const series = await samplesOf(prometheus, `trace_counter{job="${JOB}"}`)
  const scrapes = await scrapesOf(prometheus, JOB)
  const failed = scrapes.filter(({ ok }) => !ok).length
  const increase = increaseOf(series)
  t.diagnostic(`${total} calls, increase ${increase}, ${series.length} series, ${scrapes.length} scrapes, ${failed} failed, ${openers} openers killed`)
  assert.deepEqual(fallsOf(series), [], 'no series falls')
  assert.ok(increase <= total, 'no call is counted twice')
  assert.ok(failed <= openers, 'a scrape fails only at the end of an opener')
  let checked = 0
  for (const one of all) {
    const own = series.filter(({ metric }) => metric.id.startsWith(`${one.name} `))
    const numbers = new Set(own.map(({ metric }) => metric.process))
    assert.ok(numbers.size <= 1, `the number of ${one.name} has changed: ${[...numbers]}`)
    const seen = new Set(own.flatMap(({ values }) => values.map(([seconds]) => seconds * 1000)))
    const pages = scrapes.filter(({ at, ok }) => ok && seen.has(at))
    if (pages.length < 2) continue
    // A page shows new series at 0. So the last page of a process may lack calls after the page before.
    const counted = one.isAlive() ? one.made() : one.madeBefore(pages.at(-2).at)
    assert.ok(increaseOf(own) >= counted, `${one.name}: ${increaseOf(own)} of ${counted}`)
    checked++
  }
  assert.ok(checked >= PROCESSES)
  await cluster.stopAll()
}

/** Starts a process that counts series with its name. */
async function startCounting (cluster, n) {
  const one = await cluster.start()
  const name = `process-${n}`
  one.say(`run ${name}`)
  let isAlive = true
  /** @returns {[number, number][]} times and calls */
  const reports = () => one.lines.flatMap(({ text }) => {
    const match = text.match(/^made (\d+) (\d+)$/)
    return match === null ? [] : [[Number(match[1]), Number(match[2])]]
  })
  const made = () => reports().at(-1)?.[1] ?? 0
  const madeBefore = (time) => reports().findLast(([at]) => at <= time)?.[1] ?? 0
  return {
    ...one,
    name,
    made,
    madeBefore,
    isAlive: () => isAlive,
    async number () {
      const [, text] = await one.ask('metrics', /^metrics (.*)$/)
      return Number(text.match(/process=\\"(\d+)\\"/)?.[1])
    },
    async end () {
      isAlive = false
      const { signal, stderr } = await one.kill()
      assert.deepEqual([signal, stderr], ['SIGKILL', ''], 'the process lived until it was killed')
    }
  }
}

/** Returns the number of the opener, which is in the name of its folder. */
function openerOf (cluster) {
  const numbers = cluster.names().map((name) => Number(name.match(/^hypertrace-\d+-(\d+)-/)?.[1]))
  return numbers.at(-1)
}
