'use strict'

const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')

/**
 * Calls a function repeatedly until its result is neither false, null nor undefined, and returns that result.
 * Fails after the limit.
 *
 * @template T
 * @param {() => T | Promise<T>} check
 * @param {string} what the expected event, for the message
 * @param {{ limit?: number, pause?: number }} [times] milliseconds
 * @returns {Promise<NonNullable<T>>}
 */
async function until (check, what, { limit = 20_000, pause = 20 } = {}) {
  const deadline = performance.now() + limit
  for (;;) {
    const result = await check()
    if (result !== false && result !== null && result !== undefined) return result
    assert.ok(performance.now() < deadline, `timed out after ${limit} ms: ${what}`)
    await sleep(pause)
  }
}

module.exports = { until }
