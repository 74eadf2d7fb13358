// The scales and the sums that charts draw. Pure.

import { ratesOf, keyOf } from './recording.mjs'

/** The number of rows that have a colour of their own. All other rows share one colour. */
export const COLOURS = 7

/** Returns the end of a scale for values up to `max`: a round number whose half is round too. */
export function scaleEnd (max) {
  if (!(max > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(max))
  const step = [1, 1.5, 2, 3, 4, 6, 8, 10].find((times) => max <= times * power * 1.0001)
  return step * power
}

/** Returns the highest value, 0 without one. */
export function highestOf (values) {
  return values.reduce((max, value) => Math.max(max, value ?? 0), 0)
}

/**
 * Returns the colours by key. A key keeps the colour that it had before, so that a row has the same colour while the order
 * of the rows changes.
 *
 * @param {Map<string, number>} before
 * @param {string[]} keys at most {@link COLOURS}
 */
export function coloursOf (before, keys) {
  const colours = new Map(keys.filter((key) => before.has(key)).map((key) => [key, before.get(key)]))
  const used = new Set(colours.values())
  let next = 0
  for (const key of keys) {
    if (colours.has(key)) continue
    while (used.has(next)) next++
    colours.set(key, next)
    used.add(next)
  }
  return colours
}

/**
 * Returns the layers of the stacked chart: one for each of the busiest rows, then one for all other rows. A layer has
 * its rates, and at each step the sum of its rate and the rates of the layers below.
 *
 * @param {import('./recording.mjs').History} history
 * @param {number} meanSeconds
 * @returns {{ key: string, labels: Record<string, string> | null, values: (number | null)[], sums: (number | null)[] }[]}
 */
export function layersOf ({ rows, other, stepSeconds }, meanSeconds) {
  const shown = rows.slice(0, COLOURS)
  const rest = other.calls.map((value, i) => value === null ? null : rows.slice(COLOURS).reduce((sum, { calls }) => sum + (calls[i] ?? 0), value))
  const layers = [
    ...shown.map(({ labels, calls }) => ({ key: keyOf(labels), labels, values: ratesOf(calls, stepSeconds, meanSeconds) })),
    { key: 'other', labels: null, values: ratesOf(rest, stepSeconds, meanSeconds) }
  ]
  let below = null
  return layers.map((layer) => {
    const sums = layer.values.map((value, i) => value === null ? null : value + (below?.[i] ?? 0))
    below = sums
    return { ...layer, sums }
  })
}

/** Returns the mix of two colours of the form `rgb(1, 2, 3)`. `share` is the share of the first one, from 0 to 1. */
export function mix (first, second, share) {
  const channels = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number)
  const [a, b] = [channels(first), channels(second)]
  return `rgb(${a.map((value, i) => Math.round(value * share + b[i] * (1 - share))).join(', ')})`
}
