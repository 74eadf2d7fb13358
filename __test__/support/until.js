'use strict'

const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')

/**
 * Asks again and again until the answer is neither false, null nor undefined, and gives it; fails
 * when the limit is over.
 *
 * @template T
 * @param {() => T | Promise<T>} ask
 * @param {string} what for the message
 * @param {{ limit?: number, pause?: number }} [times] milliseconds
 * @returns {Promise<NonNullable<T>>}
 */
async function until (ask, what, { limit = 20_000, pause = 20 } = {}) {
  const deadline = performance.now() + limit
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== null && answer !== undefined) return answer
    assert.ok(performance.now() < deadline, `gave up after ${limit} ms: ${what}`)
    await sleep(pause)
  }
}

module.exports = { until }
