'use strict'

/*
 * Draws a list of steps as a line of block characters. Pure.
 */

const LEVELS = '▂▃▄▅▆▇█'
const ZERO = '▁'
const NOT_MEASURED = ' '

/**
 * Returns the mean of the measured steps in each of `width` equal spans; `null` for a span without a measured step.
 *
 * @param {(number | null)[]} steps
 * @param {number} width
 * @returns {(number | null)[]}
 */
function resample (steps, width) {
  return Array.from({ length: width }, (_, index) => {
    const from = Math.floor(index * steps.length / width)
    const to = Math.max(from + 1, Math.floor((index + 1) * steps.length / width))
    const measured = steps.slice(from, to).filter((value) => value !== null)
    return measured.length === 0 ? null : measured.reduce((sum, value) => sum + value, 0) / measured.length
  })
}

/**
 * Draws steps, the oldest at the left. A step without calls has a character of its own, so that it differs from a step
 * with few calls. A step that was not measured is blank.
 *
 * @param {(number | null)[]} steps
 * @param {number} width in columns
 */
function spark (steps, width) {
  const values = resample(steps, width)
  const highest = values.reduce((/** @type {number} */ max, value) => Math.max(max, value ?? 0), 0)
  return values.map((value) => {
    if (value === null) return NOT_MEASURED
    if (value <= 0) return ZERO
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor(value / highest * LEVELS.length))]
  }).join('')
}

module.exports = { resample, spark }
