'use strict'

/*
 * `npm run soak -- [--minutes 60]` runs an application with short-lived objects, series that expire, worker threads that end in
 * different ways, certificates that are renewed, and an exporter that stops and starts again. Hostile clients stall and reset their
 * connections. At the same time, several processes share another port, and are killed one after the other.
 *
 * Each page is compared with the calls and with the page before. At the end of each round the application makes no calls: then the
 * page must have the exact number of calls, and memory, descriptors and threads are measured. Linux only.
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
const { Pages, hostileClient, scrape } = require('./soak/scrapers')

const ROUND_MS = 8_000
const HOSTILE_CLIENTS = 6
/** The first rounds fill caches and the heap. */
const WARM_UP = 2
/**
 * glibc has several allocators for threads, and returns little of their freed memory to the system: after thousands of threads,
 * this is 30 MB. With one allocator, memory grows only if more memory is in use.
 */
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' }
/** The variation of the memory of Node.js, and of up to 100,000 series. */
const VARIATION_BYTES = 32 * 1024 * 1024
/** The longest block of the event loop that the system's scheduler may cause. A longer one is a fault. */
const STALL_MS = 2_000

async function main () {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' } } })
  if (process.platform !== 'linux') return console.log('skipped: the soak test reads /proc of Linux')
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
    // A failure of the cluster ends the rounds, and is thrown after them.
    const state = { hasFailed: false }
    cluster.catch(() => { state.hasFailed = true })
    const hostileClients = Array.from({ length: HOSTILE_CLIENTS }, () => hostileClient(() => port, () => isOver))
    for (let round = 1; performance.now() < until && !state.hasFailed; round++) {
      await command('load')
      const end = performance.now() + ROUND_MS
      let scrapes = 0
      for (; performance.now() < end; scrapes++) {
        const { ended } = await command('calls')
        // With an open or a new connection, and with or without compression.
        const total = pages.check(await scrape(port, { agent: scrapes % 3 ? agent : undefined, compressed: scrapes % 2 === 0 }))
        const { begun } = await command('calls')
        assert.ok(ended <= total && total <= begun, `the page has ${total} calls; before the request ${ended} calls had ended, after the response ${begun} calls had begun`)
        await sleep(100)
      }
      await command('settle')
      const total = pages.check(await scrape(port))
      const { begun, ended, epoch } = await command('calls')
      // A thread may be terminated in the middle of a call, so fewer calls can have ended than have begun.
      assert.ok(ended <= total && total <= begun, `the page has ${total} calls, while none is made; ${ended} calls have ended, ${begun} have begun`)
      agent.destroy()
      const resources = await command('resources')
      rounds.push(resources)
      console.log(`round ${round}: exporter ${epoch}, ${total} calls of ${begun}, ${scrapes} scrapes, ${pages.values.size} series, at most ${pages.expired} expired, ${resources.threads} threads so far, ` +
        `stall ${resources.stallMs.toFixed(0)} ms, ${(resources.rss / 1e6).toFixed(0)} MB (${(resources.heap / 1e6).toFixed(1)} MB of JavaScript), ${resources.fds} descriptors, ${resources.tasks} tasks`)
      if (round % 2 === 0) await command('restart')
    }
    isOver = true
    await Promise.all(hostileClients)
    const clustered = await cluster
    application.send('end')
    const [code] = await died
    assert.equal(code, 0, 'the exit code of the application')
    assert.ok(pages.expired > 0, 'no series has expired')
    checkGrowth(rounds)
    console.log(`ok: ${rounds.length} rounds; ${clustered}`)
  } finally {
    isOver = true
    application.kill('SIGKILL')
  }
}

/** @param {{ stallMs: number, rss: number, fds: number, tasks: number }[]} rounds */
function checkGrowth (rounds) {
  for (const { stallMs } of rounds) assert.ok(stallMs < STALL_MS, `the event loop was blocked for ${stallMs} ms`)
  const [first, ...rest] = rounds.slice(Math.min(WARM_UP, rounds.length - 1))
  if (rest.length === 0) return
  const half = rest.slice(Math.floor(rest.length / 2))
  // Scrapers open and close connections at any time, so the least value is compared.
  for (const name of /** @type {const} */ (['fds', 'tasks'])) {
    const least = Math.min(...half.map((round) => round[name]))
    assert.ok(least <= first[name] + 2, `${name} grew from ${first[name]} to ${least}`)
  }
  const least = Math.min(...half.map(({ rss }) => rss))
  assert.ok(least < first.rss + VARIATION_BYTES, `memory grew from ${first.rss} to ${least} bytes`)
}

main()
