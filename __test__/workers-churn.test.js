'use strict'

/*
 * Tests that many worker threads, one after another, leave no resource behind. The environment variable WORKERS is their number. A
 * thousand worker threads take a minute.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { startProgram } = require('./support/program')

const WORKERS = Number(process.env.WORKERS ?? 200)
const LIMIT_MS = 30_000 + WORKERS * 500

/** The variation of Node.js' own memory. If the heap of each thread remained, memory would grow by a hundred times as much. */
const VARIATION_BYTES = 24 * 1024 * 1024

test(`${WORKERS} workers, one after another, leave their counts and no resource`, { skip: process.platform !== 'linux' && 'reads /proc', timeout: LIMIT_MS }, async (t) => {
  const program = startProgram(t, path.join(__dirname, 'workers', 'churn.js'), [String(WORKERS)], { nodeOptions: ['--expose-gc'] })
  const resources = []
  for (let n = 1; n <= 5; n++) {
    const [text] = await program.line(/^\{.*\}$/, LIMIT_MS)
    const { counted, ...rest } = JSON.parse(text)
    assert.equal(counted, WORKERS / 5 * n * 100)
    resources.push(rest)
  }
  const [first, last] = [resources[0], resources[4]]
  assert.deepEqual({ ...last, rss: 0 }, { members: 1, tasks: first.tasks, fds: first.fds, rss: 0 })
  const growth = last.rss - resources[1].rss
  assert.ok(growth < VARIATION_BYTES, `${growth} bytes more: ${resources.map(({ rss }) => rss)}`)
  assert.equal((await program.ended()).code, 0)
})
