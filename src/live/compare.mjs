// Compares the calls of two spans. Pure.

import { keyOf } from './recording.mjs'

/**
 * @typedef {ReturnType<import('./recording.mjs').sumsOver>} Sums
 * @typedef {'appeared' | 'rose' | 'fell' | 'ended' | 'same'} Change
 * @typedef {{ key: string, labels: Record<string, string>, before: number, after: number, change: Change }} Line
 *   `before`, `after`: calls per second
 */

// Two rates whose quotient is less than this are the same, because the rates of any application vary.
const LEAST_FACTOR = 1.1

/** Returns the change from one rate to another. @returns {Change} */
export function changeOf (before, after) {
  if (before === 0) return after === 0 ? 'same' : 'appeared'
  if (after === 0) return 'ended'
  if (after >= before * LEAST_FACTOR) return 'rose'
  return after * LEAST_FACTOR <= before ? 'fell' : 'same'
}

/**
 * Returns a line for each row of either span, the greatest difference first.
 *
 * @param {Sums} base
 * @param {Sums} span
 * @returns {Line[]}
 */
export function compare (base, span) {
  const rates = ({ rows, seconds }) => new Map(rows.map(({ labels, value }) => [keyOf(labels), { labels, rate: seconds > 0 ? value / seconds : 0 }]))
  const [before, after] = [rates(base), rates(span)]
  const lines = [...new Map([...before, ...after])].map(([key, { labels }]) => {
    const [old, now] = [before.get(key)?.rate ?? 0, after.get(key)?.rate ?? 0]
    return { key, labels, before: old, after: now, change: changeOf(old, now) }
  })
  return lines.sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before))
}
