'use strict'

/*
 * Compares the increases that real Prometheus servers see with the calls that applications with real tracers have made.
 * Each server scrapes each application, and has an exporter of its own in each application. Only in the cases of two servers at one
 * page do two servers scrape the same exporter. All cases run at the same time.
 */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const { startApplication } = require('./rates/application')
const { samplesOf, scrapesOf, shownBy, increaseOf, fallsOf } = require('./rates/samples')
const { get } = require('./support/http')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

/** The time of calls before and after the restart of an application. */
const HALF_MS = 12_000

/** The time between the end of a process and the start of the next one. */
const RESTART_MS = 5000

/** The ratio of the calls that may be missing if the result is not exact. */
const TOLERANCE = 0.05

/** The ratio by which the extrapolation of `increase()` may differ. */
const ESTIMATE_TOLERANCE = 0.25

/** @type {Record<string, { program: 'prometheus' | 'prometheus3', options: string[], protobuf: boolean, readsStarts: boolean }>} */
const SERVERS = {
  'Prometheus 2': { program: 'prometheus', options: [], protobuf: false, readsStarts: false },
  'Prometheus 2 with native histograms': {
    program: 'prometheus', options: ['--enable-feature=native-histograms'], protobuf: true, readsStarts: false
  },
  'Prometheus 3': { program: 'prometheus3', options: [], protobuf: false, readsStarts: false },
  'Prometheus 3 with start timestamps': {
    program: 'prometheus3', options: ['--enable-feature=created-timestamp-zero-ingestion'], protobuf: true, readsStarts: true
  }
}

/**
 * `restarts`: the process is killed and started again after half of the time; `falls`: its series may fall; `scrapers`: the servers
 * that scrape one page (without it, each server has its own page); `alike`: these servers have the same address and User-Agent.
 *
 * @typedef {{ pattern: string, options?: object, restarts?: boolean, falls?: boolean, scrapers?: string[], alike?: boolean, off?: boolean }} Case
 * @type {Record<string, Case>}
 */
const CASES = {
  'ten objects a second, each called three times': { pattern: 'short' },
  'fifty objects a second, each called twice': { pattern: 'many' },
  'objects that live long': { pattern: 'long' },
  'objects whose series expire and start again': { pattern: 'idle', options: { seriesIdleTimeout: 1000 }, falls: true },
  // increase() extrapolates a series with few samples beyond its ends: for two samples it returns 1.5 times the increase.
  'short-lived objects whose series expire': { pattern: 'many', options: { seriesIdleTimeout: 4000 } },
  'worker threads that begin and end': { pattern: 'threads' },
  'a process that is killed and started again': { pattern: 'mixed', restarts: true, falls: true },
  'two servers at one page': { pattern: 'mixed', scrapers: ['Prometheus 2', 'Prometheus 3 with start timestamps'] },
  'two servers at one page that cannot be distinguished': {
    pattern: 'mixed', scrapers: ['Prometheus 3', 'Prometheus 3 with start timestamps'], alike: true
  },
  'startAtZero: false': { pattern: 'short', options: { startAtZero: false }, off: true }
}

const skip = lacks('prometheus') || lacks('prometheus3')

test('a Prometheus sees every call', { skip, timeout: 90_000 }, async (t) => {
  const requests = await recordRequests(t)
  const cases = await Promise.all(Object.entries(CASES).map(([name, of], index) => startCase(t, name, of, `case${index}`)))
  for (const { app, scrapers } of cases) if (!scrapers) app.begin()

  const servers = new Map(await Promise.all(Object.entries(SERVERS).map(async ([server, { program, options }], index) => {
    const targets = cases.filter(({ ports }) => server in ports).map(({ job, ports }) => [job, { target: `127.0.0.1:${ports[server]}` }])
    const jobs = { ...Object.fromEntries(targets), requests: { target: `127.0.0.1:${requests.port}`, path: `/${index}` } }
    return /** @type {const} */ ([server, await startPrometheus(t, jobs, { program, options })])
  })))
  const scraped = (job, server, since) => until(async () =>
    (await scrapesOf(servers.get(server), job)).filter(({ at, ok }) => ok && at > since).length >= 3, `${server} has scraped ${job}`)
  const allScraped = (since) => Promise.all(cases.flatMap(({ job, ports }) => Object.keys(ports).map((server) => scraped(job, server, since))))

  await allScraped(0)
  for (const { app, scrapers } of cases) if (scrapers) app.begin()
  await sleep(HALF_MS)
  for (const { app, restarts } of cases) if (restarts) await app.restart()
  await sleep(HALF_MS)
  const made = await Promise.all(cases.map(({ app }) => app.end()))
  await allScraped(Date.now())

  for (const [index, of] of cases.entries()) {
    for (const server of Object.keys(of.ports)) {
      await t.test(`${of.name}: ${server}`, async (t) => check(t, of, { server, prometheus: servers.get(server), made: made[index] }))
    }
  }
  for (const [server, prometheus] of servers) {
    await t.test(`${server} logs no warning`, () => {
      assert.deepEqual(prometheus.log().split('\n').filter((line) => /level=(warn|error)/i.test(line)), [])
    })
  }
  await t.test('each server gets the format that it prefers', async () => {
    for (const [index, [server, { protobuf }]] of Object.entries(SERVERS).entries()) {
      const { headers } = await get({ port: cases[0].ports[server], headers: requests.headers.get(`/${index}`) })
      assert.match(headers['content-type'], protobuf ? /^application\/vnd\.google\.protobuf;/ : /^text\/plain;/, server)
    }
  })
})

/**
 * Starts the application of a case.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {Case} of
 * @param {string} job of each Prometheus
 */
async function startCase (t, name, of, job) {
  const { pattern, options, scrapers } = of
  const servers = scrapers ?? Object.keys(SERVERS)
  const app = await startApplication(t, pattern, scrapers ? 1 : servers.length, options)
  const ports = Object.fromEntries(servers.map((server, index) => [server, app.ports[scrapers ? 0 : index]]))
  return { name, job, app, ports, ...of }
}

/**
 * @param {import('node:test').TestContext} t
 * @param {Awaited<ReturnType<typeof startCase>>} of
 * @param {{ server: string, prometheus: Awaited<ReturnType<typeof startPrometheus>>, made: number }} results made: by the last process
 */
async function check (t, { job, app, pattern, options, restarts, falls, alike, off }, { server, prometheus, made }) {
  const series = await samplesOf(prometheus, `trace_counter{job="${job}"}`)
  const scrapes = await scrapesOf(prometheus, job)
  const increase = increaseOf(series)
  const [{ value: estimate }] = await prometheus.query(`sum(increase(trace_counter{job="${job}"}[2m]))`)
  const total = made + (restarts ? app.killed.made() : 0)
  t.diagnostic(`${total} calls; increase ${increase}, by increase(): ${estimate.toFixed(1)}; ${series.length} series`)

  for (const fall of fallsOf(shownBy(scrapes, series))) assert.ok(falls && fall.to === 0, `fell: ${JSON.stringify(fall)}`)
  assert.ok(increase <= total, 'no call is counted twice')
  assert.equal(await prometheus.value(`hypertrace_calls_total{job="${job}"}`), made)
  const expired = await prometheus.value(`hypertrace_expired_total{job="${job}"}`)
  assert.equal(expired > 0, options?.seriesIdleTimeout > 0, `${expired} series have expired`)
  // In this pattern, each series has two calls. Each series is on the page, or has expired once.
  if (pattern === 'many') assert.equal(expired + await prometheus.value(`hypertrace_series{job="${job}"}`), made / 2)

  const { readsStarts } = SERVERS[server]
  if (off && !readsStarts) return assert.ok(increase < TOLERANCE * total, 'without startAtZero, the increase has almost none of the calls')
  if (alike && !readsStarts) return assert.ok(increase > 0)
  let expected = total
  if (restarts) {
    // The last page of a process shows new series at 0.
    const seen = scrapes.filter(({ at, ok }) => ok && at < app.killed.at()).at(-2)
    expected = made + app.killed.madeBefore(seen.at)
    assert.ok(app.killed.madeBefore(seen.at) > 0.8 * app.killed.made())
  }
  const failed = scrapes.filter(({ at, ok }) => !ok && !(restarts && Math.abs(at - app.killed.at()) < RESTART_MS))
  t.diagnostic(`${scrapes.length} scrapes, ${failed.length} of them failed`)
  // With start timestamps alone, the first calls of a series are missing if it began in the millisecond of its first sample.
  const isExact = failed.length === 0 && !alike && !off
  assert.ok(increase >= (isExact ? 1 : 1 - TOLERANCE) * expected, `${increase} of ${expected} calls`)
  assert.ok(Math.abs(estimate - total) < ESTIMATE_TOLERANCE * total, 'increase() is near the number of calls')
}

/** Serves empty pages, and records the headers of the requests by path. */
async function recordRequests (t) {
  const headers = new Map()
  const server = http.createServer((request, response) => {
    headers.set(request.url, request.headers)
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end()
  }).listen(0, '127.0.0.1')
  t.after(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  return { port: /** @type {import('node:net').AddressInfo} */ (server.address()).port, headers }
}
