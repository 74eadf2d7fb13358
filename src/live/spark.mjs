/* eslint-env browser */
// A line without a scale in a row of the table. The row has the present value as text.

import { svg } from './dom.mjs'
import { highestOf } from './scale.mjs'

const WIDTH = 120
const HEIGHT = 24
// The highest value is below the top edge, so that a steady row is a line and not a block.
const HEADROOM = 1.25

/**
 * Returns the paths of a line and of the area below it, interrupted where a step was not measured. Pure.
 *
 * @param {(number | null)[]} values
 * @param {number} highest
 */
export function paths (values, highest) {
  const x = (i) => (values.length > 1 ? i / (values.length - 1) : 1) * WIDTH
  const y = (value) => HEIGHT - 2 - (value / ((highest || 1) * HEADROOM)) * (HEIGHT - 4)
  let line = ''
  let area = ''
  values.forEach((value, i) => {
    if (value === null) return
    const point = `${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    const starts = values[i - 1] == null
    line += (starts ? 'M' : 'L') + point
    area += (starts ? `M${x(i).toFixed(1)} ${HEIGHT}L` : 'L') + point
    if (values[i + 1] == null) {
      if (starts) line += 'h0' // a single point is a dot
      area += `L${x(i).toFixed(1)} ${HEIGHT}Z`
    }
  })
  return { line, area }
}

/** Returns at most `length` values: means of neighbours. Pure. */
export function sampled (values, length = WIDTH) {
  const size = Math.ceil(values.length / length)
  if (size <= 1) return values
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
    const measured = values.slice(i * size, (i + 1) * size).filter((value) => value !== null)
    return measured.length === 0 ? null : measured.reduce((sum, value) => sum + value, 0) / measured.length
  })
}

export class Spark {
  root = svg('svg', { class: 'spark', 'aria-hidden': 'true', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none' })
  #area = svg('path', { class: 'area' })
  #line = svg('path', { class: 'line' })

  constructor () {
    this.root.append(this.#area, this.#line)
  }

  /** Draws values, and returns the highest one. */
  draw (values) {
    values = sampled(values)
    const highest = highestOf(values)
    const { line, area } = paths(values, highest)
    this.#line.setAttribute('d', line)
    this.#area.setAttribute('d', area)
    return highest
  }
}
