'use strict'

/*
 * A small seeded random number generator (sfc32). A failed run can be repeated with its `seed`.
 */

/**
 * @param {number} seed
 */
function createRandom (seed) {
  let a = seed | 0
  let b = 0x9e3779b9
  let c = 0x243f6a88
  let d = 1

  function next () {
    const t = (a + b | 0) + d | 0
    d = d + 1 | 0
    a = b ^ b >>> 9
    b = c + (c << 3) | 0
    c = (c << 21 | c >>> 11) + t | 0
    return (t >>> 0) / 4294967296
  }

  for (let i = 0; i < 12; i++) next()

  /** An integer from 0 to n - 1. */
  const below = (n) => Math.floor(next() * n)

  return {
    seed,
    below,
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)],
    /** `count` elements of `list`, with repetition. */
    picks: (list, count) => Array.from({ length: count }, () => list[below(list.length)])
  }
}

/**
 * Returns the seed of this run: TEST_SEED, to repeat a failed run, or else a fixed seed, so that all runs of CI are equal.
 * @param {number} fallback
 */
function seedOf (fallback) {
  const given = Number.parseInt(process.env.TEST_SEED ?? '', 10)
  return Number.isNaN(given) ? fallback : given
}

module.exports = { createRandom, seedOf }
