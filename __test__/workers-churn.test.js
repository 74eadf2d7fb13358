'use strict'

/*
 * Many worker threads one after another leave nothing behind. WORKERS in the environment is how many (a thousand says it better,
 * and takes a minute).
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { startProgram } = require('./support/program')

const WORKERS = Number(process.env.WORKERS ?? 200)
const LIMIT_MS = 30_000 + WORKERS * 500

/** What Node.js's own memory swings by; a thread's heap left behind each time would be a hundred times this. */
const SWING = 24 * 1024 * 1024

test(`${WORKERS} workers one after another leave their counts and nothing else`, { skip: process.platform !== 'linux' && 'counts by /proc', timeout: LIMIT_MS }, async (t) => {
  const program = startProgram(t, path.join(__dirname, 'workers', 'churn.js'), [String(WORKERS)], { nodeOptions: ['--expose-gc'] })
  const held = []
  for (let n = 1; n <= 5; n++) {
    const [text] = await program.line(/^\{.*\}$/, LIMIT_MS)
    const { counted, ...rest } = JSON.parse(text)
    assert.equal(counted, WORKERS / 5 * n * 100)
    held.push(rest)
  }
  const [first, last] = [held[0], held[4]]
  assert.deepEqual({ ...last, rss: 0 }, { members: 1, tasks: first.tasks, fds: first.fds, rss: 0 })
  const growth = last.rss - held[1].rss
  assert.ok(growth < SWING, `${growth} bytes more: ${held.map(({ rss }) => rss)}`)
  assert.equal((await program.ended()).code, 0)
})
