'use strict'

/*
 * `npm run soak -- [--minutes 60]`: an application with short-lived objects, series that expire, worker threads that end in
 * different ways, certificates that are renewed, an exporter that stops and starts again, and scrapers that stall and reset; beside
 * it a port of several processes, which are killed.
 *
 * While it runs, each page is compared with the calls and with the page before. In each round the application comes to rest: then
 * the number of calls is exact, and memory, descriptors and threads are measured. Linux only.
 */

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')
const https = require('node:https')
const { createCertificates } = require('../__test__/support/certificates')
const { soakCluster } = require('./soak/cluster')
const { Pages, rude, scrape } = require('./soak/scrapers')

const ROUND_MS = 8_000
const RUDE = 6
/** The first rounds fill caches and the heap. */
const WARM_UP = 2
/**
 * glibc has an allocator for each thread, and returns little of what they have freed: after thousands of threads that alone is
 * 30 MB. With one allocator, memory that grows is memory that is in use.
 */
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' }
/** The variation of the memory of Node.js, and of up to 100,000 series. */
const VARIATION_BYTES = 32 * 1024 * 1024
/** Longer than a pause of the system's scheduler; a held event loop is a fault. */
const STALL_MS = 2_000

async function main () {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' } } })
  if (process.platform !== 'linux') return console.log('skipped: it reads /proc')
  const until = performance.now() + Number(values.minutes) * 60_000
  const certificates = createCertificates()
  const pairs = Array.from({ length: 3 }, () => certificates.server()).map(({ cert, key }) => ({ cert, key }))
  certificates.remove()
  const application = fork(path.join(__dirname, 'soak', 'application.js'), [JSON.stringify(pairs)], { execArgv: ['--expose-gc'], env: { ...process.env, ...MALLOC } })
  const died = once(application, 'exit')
  let port = 0
  const command = async (/** @type {string} */ name) => {
    application.send(name)
    const answer = await Promise.race([once(application, 'message'), died.then(([code, signal]) => { throw new Error(`the application ended: ${signal ?? code}`) })])
    port = answer[0].port
    return answer[0]
  }

  const rounds = []
  const pages = new Pages()
  let isOver = false
  const agent = new https.Agent({ keepAlive: true })
  try {
    await command('calls')
    const cluster = soakCluster(() => isOver)
    // Its failure is thrown below; meanwhile it ends the rounds.
    const state = { hasFailed: false }
    cluster.catch(() => { state.hasFailed = true })
    const rudes = Array.from({ length: RUDE }, () => rude(() => port, () => isOver))
    for (let round = 1; performance.now() < until && !state.hasFailed; round++) {
      await command('load')
      const end = performance.now() + ROUND_MS
      let scrapes = 0
      for (; performance.now() < end; scrapes++) {
        const { ended } = await command('calls')
        // A connection that was open before, or a new one, with and without compression.
        const total = pages.check(await scrape(port, { agent: scrapes % 3 ? agent : undefined, compressed: scrapes % 2 === 0 }))
        const { begun } = await command('calls')
        assert.ok(ended <= total && total <= begun, `the page has ${total} calls; ${ended} had ended before it, ${begun} had begun after it`)
        await sleep(100)
      }
      await command('settle')
      const total = pages.check(await scrape(port))
      const { begun, ended, epoch } = await command('calls')
      // A thread that is terminated may end within a call.
      assert.ok(ended <= total && total <= begun, `${total} calls on the page at rest; ${ended} to ${begun} were made`)
      agent.destroy()
      const resources = await command('resources')
      rounds.push(resources)
      console.log(`round ${round}: exporter ${epoch}, ${total} calls of ${begun}, ${scrapes} scrapes, ${pages.values.size} series, at most ${pages.expired} expired, ${resources.threads} threads so far, ` +
        `stall ${resources.stallMs.toFixed(0)} ms, ${(resources.rss / 1e6).toFixed(0)} MB (${(resources.heap / 1e6).toFixed(1)} MB of JavaScript), ${resources.fds} descriptors, ${resources.tasks} tasks`)
      if (round % 2 === 0) await command('restart')
    }
    isOver = true
    await Promise.all(rudes)
    const clustered = await cluster
    application.send('end')
    const [code] = await died
    assert.equal(code, 0, 'the exit code of the application')
    assert.ok(pages.expired > 0, 'no series has expired')
    checkFlat(rounds)
    console.log(`ok: ${rounds.length} rounds; ${clustered}`)
  } finally {
    isOver = true
    application.kill('SIGKILL')
  }
}

/** @param {{ stallMs: number, rss: number, fds: number, tasks: number }[]} rounds */
function checkFlat (rounds) {
  for (const { stallMs } of rounds) assert.ok(stallMs < STALL_MS, `the event loop was held for ${stallMs} ms`)
  const [first, ...rest] = rounds.slice(Math.min(WARM_UP, rounds.length - 1))
  if (rest.length === 0) return
  const half = rest.slice(Math.floor(rest.length / 2))
  // Connections of the scrapers come and go, so that the least values count.
  for (const name of /** @type {const} */ (['fds', 'tasks'])) {
    const least = Math.min(...half.map((round) => round[name]))
    assert.ok(least <= first[name] + 2, `${name} grew from ${first[name]} to ${least}`)
  }
  const least = Math.min(...half.map(({ rss }) => rss))
  assert.ok(least < first.rss + VARIATION_BYTES, `memory grew from ${first.rss} to ${least} bytes`)
}

main()
