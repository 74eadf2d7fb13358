'use strict'

/*
 * Tests case 39: the page while the event loop is blocked. The applications run in processes of their own. This process
 * sends them the commands to block and to unblock their event loops, and scrapes their pages.
 */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { describe, it } = require('node:test')

const { parse } = require('./support/exposition')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')

const APP = path.join(__dirname, 'blocked', 'app.js')
const SCRAPES = 12
const CALLS = 300 // calls for one command `count`
const ANSWER_LIMIT_MS = 20_000
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Starts a scrape on a connection of its own; `sent` resolves when the request is written. */
function startScrape (port, headers = {}) {
  const from = performance.now()
  const request = http.get({ host: '127.0.0.1', port, path: '/metrics', agent: false, timeout: ANSWER_LIMIT_MS, headers })
  request.on('timeout', () => request.destroy(new Error('no answer')))
  const answer = new Promise((resolve, reject) => {
    request.on('error', reject).on('response', (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const to = performance.now()
        const families = parse(Buffer.concat(chunks), { allowDuplicates: true })
        const value = (name) => families.get(name)?.samples[0]?.value
        const count = families.get('trace_counter').samples.reduce((sum, { value }) => sum + value, 0)
        resolve({ from, to, took: to - from, status: response.statusCode, headers: response.headers, value, count })
      })
    })
  })
  return { answer, sent: once(request, 'finish') }
}

const scrape = (port, headers) => startScrape(port, headers).answer

/** Starts an application whose event loop is blocked until `unblock` is called. */
async function blockedApp (t, kind, manner) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'blocked-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'commands')
  fs.writeFileSync(file, '')
  const app = startProgram(t, APP, [kind, manner])
  const port = Number((await app.line(/^port (\d+)$/))[1])
  await scrape(port) // so that there is a sample
  app.say(`block ${file}`)
  await app.line(/^blocked$/)
  let counted = CALLS
  return {
    port,
    counted: () => counted,
    /** Sends the command for the calls; resolves when they are made. */
    async count () {
      fs.appendFileSync(file, 'count\n')
      await app.line(new RegExp(`^counted ${counted + CALLS}$`))
      counted += CALLS
    },
    async unblock () {
      fs.appendFileSync(file, 'unblock\n')
      await app.line(/^unblocked$/)
    }
  }
}

/** Scrapes while the event loop is blocked, sometimes during a count. Checks that each page has the exact number of calls. */
async function scrapeWhileBlocked (t, { port, counted, count }, headers) {
  const scrapes = []
  for (let i = 0; i < SCRAPES; i++) {
    const before = counted()
    const counting = i % 4 === 1 ? count() : undefined
    const one = await scrape(port, headers)
    await counting
    if (counting === undefined) assert.equal(one.count, before)
    else assert.ok(one.count >= before && one.count <= counted(), `${one.count} calls, between ${before} and ${counted()}`)
    scrapes.push(one)
  }
  const times = scrapes.map(({ took }) => took).sort((a, b) => a - b)
  t.diagnostic(`${SCRAPES} scrapes: the slowest took ${times.at(-1).toFixed(0)} ms, the median ${times[SCRAPES / 2].toFixed(0)} ms`)
  return scrapes
}

/** Asserts that a duration grows from scrape to scrape, by at least the time between them. */
function assertGrows (scrapes, name) {
  for (let i = 1; i < scrapes.length; i++) {
    const [one, other] = [scrapes[i - 1], scrapes[i]]
    assert.ok(other.value(name) > one.value(name), `${name}: ${other.value(name)} after ${one.value(name)}`)
  }
  const [first, last] = [scrapes[0], scrapes.at(-1)]
  const grown = last.value(name) - first.value(name)
  assert.ok(grown >= 0.9 * (last.from - first.to) / 1000, `${name} grew by ${grown} s in ${last.from - first.to} ms`)
}

/** Resolves with the first scrape that meets a condition. */
function scrapeUntil (port, what, condition, headers) {
  return until(async () => {
    const one = await scrape(port, headers)
    return condition(one) && one
  }, what)
}

describe('case 39: the event loop is blocked', { concurrency: true, timeout: 60_000 }, () => {
  for (const manner of ['spin', 'wait']) {
    it(`every scrape is answered, counts are exact and durations grow (${manner})`, async (t) => {
      const blocked = await blockedApp(t, 'own', manner)
      const scrapes = await scrapeWhileBlocked(t, blocked)
      for (const { status, headers } of scrapes) {
        assert.equal(status, 200)
        assert.equal(headers['content-type'], CONTENT_TYPE)
      }
      assertGrows(scrapes, 'nodejs_eventloop_lag_seconds')
      assertGrows(scrapes, 'hypertrace_sample_age_seconds')
      const cpu = scrapes.map(({ value }) => value('process_cpu_seconds_total'))
      assert.deepEqual(cpu, [...cpu].sort((a, b) => a - b))
      // On other systems, the figures of the process are those of the last sample.
      if (manner === 'spin' && process.platform === 'linux') {
        await scrapeUntil(blocked.port, 'processor time grows', ({ value }) => value('process_cpu_seconds_total') > cpu.at(-1))
      }
      for (const name of ['nodejs_heap_size_used_bytes', 'nodejs_active_handles_total', 'nodejs_version_info']) {
        assert.equal(scrapes.at(-1).value(name), scrapes[0].value(name), `${name} is that of the last sample`)
      }

      const age = scrapes.at(-1).value('hypertrace_sample_age_seconds')
      await blocked.unblock()
      const after = await scrapeUntil(blocked.port, 'a new sample', ({ value }) =>
        value('nodejs_eventloop_lag_seconds') < age && value('hypertrace_sample_age_seconds') < age)
      assert.equal(after.count, blocked.counted())
    })
  }

  it('X-Prometheus-Scrape-Timeout-Seconds shortens the wait for the event loop', async (t) => {
    const { port } = await blockedApp(t, 'own', 'wait')
    for (let i = 0; i < 3; i++) {
      const { took } = await scrape(port)
      assert.ok(took > 95, `the server waits 100 ms for the event loop: ${took} ms`)
    }
    await scrapeUntil(port, 'a scrape that waited for less than 100 ms', ({ took }) => took < 95, { 'X-Prometheus-Scrape-Timeout-Seconds': '0.02' })
  })

  it('with a register the page has only the families that Rust writes, and says that it is incomplete', async (t) => {
    const blocked = await blockedApp(t, 'register', 'wait')
    const scrapes = await scrapeWhileBlocked(t, blocked, { 'X-Prometheus-Scrape-Timeout-Seconds': '0.4' })
    for (const one of scrapes) {
      assert.equal(one.status, 200)
      assert.equal(one.value('hypertrace_scrape_incomplete'), 1)
      assert.ok(one.value('process_cpu_seconds_total') > 0)
    }
    await blocked.unblock()
    const after = await scrapeUntil(blocked.port, 'the register answers', ({ value }) => value('hypertrace_scrape_incomplete') === 0)
    assert.equal(after.count, blocked.counted())
  })

  it('the reference, for comparison, answers after the block', async (t) => {
    const { port, count, counted, unblock } = await blockedApp(t, 'reference', 'wait')
    const { sent, answer } = startScrape(port)
    await sent
    await count()
    await unblock()
    assert.equal((await answer).count, counted(), 'the page has calls that were made after the request')
  })
})
