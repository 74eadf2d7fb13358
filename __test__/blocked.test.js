'use strict'

/*
 * Case 39: the page while the event loop is blocked. Applications in processes of their own are
 * blocked for five seconds and scraped from here, where the loop is free.
 */

const assert = require('node:assert/strict')
const http = require('node:http')
const path = require('node:path')
const { describe, it } = require('node:test')

const { parse } = require('./support/exposition')
const { startProgram } = require('./support/program')
const { until } = require('./support/until')

const APP = path.join(__dirname, 'blocked', 'app.js')
const BLOCK_MS = 5000
const SCRAPES = 20
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** One scrape on a connection of its own: what came, and between which moments. */
function scrape (port, headers = {}) {
  return new Promise((resolve, reject) => {
    const from = performance.now()
    const request = http.get({ host: '127.0.0.1', port, path: '/metrics', agent: false, timeout: 3 * BLOCK_MS, headers }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const to = performance.now()
        const families = parse(Buffer.concat(chunks), { allowDuplicates: true })
        const value = (name) => families.get(name)?.samples[0]?.value
        const count = families.get('trace_counter').samples.reduce((sum, { value }) => sum + value, 0)
        resolve({ from, to, took: to - from, status: response.statusCode, headers: response.headers, families, value, count })
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
  })
}

/** An application that is blocked from when this resolves on. */
async function blockedApp (t, kind, manner) {
  const app = startProgram(t, APP, [kind, manner])
  const [, port] = await app.line(/^port (\d+)$/)
  await scrape(Number(port)) // so that there is a sample
  app.say(`block ${BLOCK_MS}`)
  await app.line(/^blocked$/)
  /** What the application has counted by a moment: it says so itself, each time at once. */
  const countedBy = (moment) => app.lines.reduce((last, { text, at }) =>
    text.startsWith('counted') && at <= moment ? Number(text.split(' ')[1]) : last, 0)
  return { app, port: Number(port), countedBy, isOver: () => app.lines.some(({ text }) => text === 'unblocked') }
}

/** Scrapes one after the other, all over before the block is. */
async function scrapeWhileBlocked (t, { port, isOver }, headers) {
  const scrapes = []
  for (let i = 0; i < SCRAPES; i++) {
    const one = await scrape(port, headers)
    assert.ok(!isOver(), `scrape ${i + 1} was answered while the loop was blocked`)
    assert.ok(one.took < 2000, `scrape ${i + 1} was answered after ${one.took} ms`)
    scrapes.push(one)
  }
  const times = scrapes.map(({ took }) => took).sort((a, b) => a - b)
  t.diagnostic(`${SCRAPES} scrapes: the slowest took ${times.at(-1).toFixed(0)} ms, the median ${times[SCRAPES / 2].toFixed(0)} ms`)
  return scrapes
}

/** The counts are those of the calls made: of all before the request, and of none after the answer. */
function assertExact (scrapes, countedBy) {
  let exact = 0
  for (const { from, to, count } of scrapes) {
    const [least, most] = [countedBy(from), countedBy(to)]
    if (least === most) {
      assert.equal(count, least)
      exact++
    } else {
      assert.ok(count >= least && count <= most, `${count} calls, between ${least} and ${most}`)
    }
  }
  assert.ok(exact > SCRAPES / 2, `${exact} scrapes with no call in between`)
  assert.ok(scrapes.at(-1).count > scrapes[0].count, 'calls were made during the block')
}

/** A clock that started at one moment: between two scrapes it goes on as much as time does. */
function assertClock (scrapes, name) {
  for (let i = 1; i < scrapes.length; i++) {
    const [one, other] = [scrapes[i - 1], scrapes[i]]
    const grown = (other.value(name) - one.value(name)) * 1000
    assert.ok(grown >= other.from - one.to - 1 && grown <= other.to - one.from + 1,
      `${name} grew by ${grown} ms in ${other.from - one.to} to ${other.to - one.from} ms`)
  }
}

describe('case 39: the event loop is blocked for five seconds', { concurrency: true, timeout: 60_000 }, () => {
  for (const manner of ['spin', 'wait']) {
    it(`every scrape is answered, counts are exact and clocks go on (${manner})`, async (t) => {
      const blocked = await blockedApp(t, 'own', manner)
      const scrapes = await scrapeWhileBlocked(t, blocked)
      for (const { status, headers } of scrapes) {
        assert.equal(status, 200)
        assert.equal(headers['content-type'], CONTENT_TYPE)
      }
      assertExact(scrapes, blocked.countedBy)
      assertClock(scrapes, 'nodejs_eventloop_lag_seconds')
      assertClock(scrapes, 'hypertrace_sample_age_seconds')
      const cpu = scrapes.map(({ value }) => value('process_cpu_seconds_total'))
      assert.deepEqual(cpu, [...cpu].sort((a, b) => a - b))
      // Spinning is all that this process does; how much of a processor it is given is not its own.
      if (manner === 'spin') assert.ok(cpu.at(-1) - cpu[0] > 0.1, `${cpu.at(-1) - cpu[0]} s`)
      for (const name of ['nodejs_heap_size_used_bytes', 'nodejs_active_handles_total', 'nodejs_version_info']) {
        assert.equal(scrapes.at(-1).value(name), scrapes[0].value(name), `${name} is that of the last sample`)
      }

      await blocked.app.line(/^unblocked$/)
      const after = await until(async () => {
        const one = await scrape(blocked.port)
        return one.value('nodejs_eventloop_lag_seconds') < 1 && one.value('hypertrace_sample_age_seconds') < 1 ? one : false
      }, 'samples come again')
      assert.equal(after.count, 4 * 300)
    })
  }

  it('X-Prometheus-Scrape-Timeout-Seconds shortens the wait for the event loop', async (t) => {
    const { port, isOver } = await blockedApp(t, 'own', 'wait')
    const fastest = async (headers) => {
      const times = []
      for (let i = 0; i < 8; i++) times.push((await scrape(port, headers)).took)
      return Math.min(...times)
    }
    const usual = await fastest()
    const short = await fastest({ 'X-Prometheus-Scrape-Timeout-Seconds': '0.02' })
    assert.ok(!isOver())
    t.diagnostic(`the fastest of 8: ${usual.toFixed(0)} ms, with a time-out of 20 ms ${short.toFixed(0)} ms`)
    assert.ok(usual > 95, 'the event loop is given 100 ms')
    assert.ok(short < 95, 'it is given 10 ms')
  })

  it('with a registry the page is what Rust owns, and says that it is incomplete', async (t) => {
    const blocked = await blockedApp(t, 'register', 'wait')
    const scrapes = await scrapeWhileBlocked(t, blocked)
    for (const one of scrapes) {
      assert.equal(one.status, 200)
      assert.equal(one.value('hypertrace_scrape_incomplete'), 1)
      assert.ok(one.value('process_cpu_seconds_total') > 0)
    }
    assertExact(scrapes, blocked.countedBy)
    await blocked.app.line(/^unblocked$/)
    const after = await until(async () => {
      const one = await scrape(blocked.port)
      return one.value('hypertrace_scrape_incomplete') === 0 ? one : false
    }, 'the registry answers again')
    assert.equal(after.count, 4 * 300)
  })

  it('beside the reference, which answers when the block ends', async (t) => {
    const { port, isOver } = await blockedApp(t, 'reference', 'wait')
    const { took, count } = await scrape(port)
    t.diagnostic(`the reference answered after ${took.toFixed(0)} ms`)
    assert.ok(took > BLOCK_MS / 2, `${took} ms`)
    await until(isOver, 'the block is over')
    assert.equal(count, 4 * 300)
  })
})
