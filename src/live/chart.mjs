/* eslint-env browser */
// Draws values over time as SVG: charts with a scale and a tooltip, and sparklines for rows.

import { duration } from './format.mjs'
import { MEAN_SECONDS, WINDOW } from './history.mjs'

const SVG = 'http://www.w3.org/2000/svg'

// A page that was just opened shows the few seconds that it has; the window grows with the data.
const MIN_WINDOW = 1

// A mean over more than this is drawn as a horizontal line over its time.
const LONG_SPAN = MEAN_SECONDS + 2

/** Returns the time that a chart shows, in seconds. Pure. */
export function windowOf (first, now) {
  return Math.min(WINDOW, Math.max(MIN_WINDOW, now - first))
}

/** Returns the end of a scale for values up to `max`: a round number whose half is round too. Pure. */
export function scaleEnd (max) {
  if (!(max > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(max))
  const step = [1, 1.5, 2, 3, 4, 6, 8, 10].find((times) => max <= times * power * 1.0001)
  return step * power
}

/**
 * Returns the paths of a line and of the area below it, interrupted at gaps. Pure. The mean of a long
 * time, such as between two summaries for a hidden page, is a horizontal line.
 *
 * @param {import('./history.mjs').Point[]} points
 * @param {(t: number) => number} x
 * @param {(v: number) => number} y
 * @param {number} bottom
 */
export function paths (points, x, y, bottom) {
  let line = ''
  let area = ''
  let from = null
  const at = (t, v) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`
  const add = (t, v) => {
    if (from === null) {
      from = x(t).toFixed(1)
      line += `M${at(t, v)}`
      area += `M${from} ${bottom}L${at(t, v)}`
    } else {
      line += `L${at(t, v)}`
      area += `L${at(t, v)}`
    }
  }
  points.forEach(({ t, v, span }, i) => {
    if (v === null) return
    if (span > LONG_SPAN) add(Math.max(t - span, points[i - 1]?.t ?? -Infinity), v)
    add(t, v)
    const next = points[i + 1]
    if (next === undefined || next.v === null) {
      if (points[i - 1]?.v == null) line += 'h0' // a single point is a dot
      area += `L${x(t).toFixed(1)} ${bottom}Z`
      from = null
    }
  })
  return { line, area }
}

/** Returns the points of the last `span` seconds. The tolerance is for rounding: the first point is often at the edge. */
function recent (points, now, span) {
  return points.filter(({ t }) => t >= now - span - 1e-6)
}

/** Creates an SVG element. */
export function svg (name, className) {
  const element = document.createElementNS(SVG, name)
  if (className) element.setAttribute('class', className)
  return element
}

function div (className, parent) {
  const element = document.createElement('div')
  element.className = className
  parent.append(element)
  return element
}

const PAD = 3 // half the width of a line fits between the last point and the edge
const TEXT = 14 // the height of the scale's labels, which must not overlap the line

export class Chart {
  #container
  #name
  #format
  #root = svg('svg')
  #area = svg('path', 'area')
  #line = svg('path', 'line')
  #marks = svg('path', 'mark')
  #grid = svg('path', 'grid')
  #cursor = svg('path', 'cursor')
  #top
  #past
  #tip
  #drawn = null
  #pointer = null

  /**
   * @param {HTMLElement} container
   * @param {string} name the text for screen readers
   * @param {(value: number | null) => string} format
   */
  constructor (container, name, format) {
    this.#container = container
    this.#name = name
    this.#format = format
    this.#root.setAttribute('role', 'img')
    this.#root.append(this.#grid, this.#area, this.#line, this.#marks, this.#cursor)
    container.append(this.#root)
    this.#top = div('scale top', container)
    this.#past = div('scale past', container)
    div('scale now', container).textContent = 'now'
    this.#tip = div('tip', container)
    this.#tip.hidden = true
    new ResizeObserver(() => this.#redraw()).observe(container)
    container.addEventListener('pointermove', (event) => this.#point(event))
    container.addEventListener('pointerdown', (event) => this.#point(event))
    container.addEventListener('pointerleave', () => this.#point(null))
  }

  /**
   * @param {import('./history.mjs').Point[]} points
   * @param {number[]} marks times at which counts restarted at 0
   * @param {number} now
   */
  draw (points, marks, now) {
    this.#drawn = { points, marks, now }
    this.#redraw()
  }

  #redraw () {
    const { clientWidth: width, clientHeight: height } = this.#container
    if (this.#drawn === null || width === 0) return
    const { points, marks, now } = this.#drawn
    const span = windowOf(points[0]?.t ?? now, now)
    const seen = recent(points, now, span)
    const highest = seen.reduce((max, { v }) => Math.max(max, v ?? 0), 0)
    const end = scaleEnd(highest)
    const x = (t) => Math.max(0, 1 - (now - t) / span) * (width - PAD)
    const bottom = height - (this.#container.classList.contains('tall') ? TEXT : PAD)
    const y = (v) => bottom - (v / end) * (bottom - TEXT)
    this.#drawn.scale = { x, y, bottom, seen }

    this.#root.setAttribute('viewBox', `0 0 ${width} ${height}`)
    const { line, area } = paths(seen, x, y, bottom)
    this.#line.setAttribute('d', line)
    this.#area.setAttribute('d', area)
    this.#marks.setAttribute('d', marks.filter((t) => t > now - span).map((t) => `M${x(t).toFixed(1)} ${TEXT}V${bottom}`).join(''))
    this.#grid.setAttribute('d', [0, end / 2, end].map((v) => `M0 ${y(v).toFixed(1)}H${width}`).join(''))
    this.#top.textContent = this.#format(end)
    this.#past.textContent = `${duration(span)} ago`

    const last = seen[seen.length - 1]?.v ?? null
    this.#root.setAttribute('aria-label', last === null
      ? `${this.#name}: no data yet`
      : `${this.#name}: now ${this.#format(last)}, highest ${this.#format(highest)}`)
    this.#showTip()
  }

  #point (event) {
    this.#pointer = event === null ? null : event.clientX - this.#container.getBoundingClientRect().left
    this.#showTip()
  }

  #showTip () {
    const scale = this.#drawn?.scale
    const points = scale?.seen.filter(({ v }) => v !== null) ?? []
    const shown = this.#pointer !== null && points.length > 0
    this.#tip.hidden = !shown
    this.#cursor.setAttribute('d', '')
    if (!shown) return
    const distance = ({ t }) => Math.abs(scale.x(t) - this.#pointer)
    const nearest = points.reduce((best, point) => distance(point) < distance(best) ? point : best)
    const x = scale.x(nearest.t)
    this.#cursor.setAttribute('d', `M${x} ${TEXT}V${scale.bottom}M${x} ${scale.y(nearest.v)}h0`)
    const ago = Math.round(this.#drawn.now - nearest.t)
    const mean = nearest.span ? ` (${meanSeconds(nearest.span)} mean)` : ''
    this.#tip.textContent = `${this.#format(nearest.v)}${mean}, ${ago === 0 ? 'now' : `${duration(ago)} ago`}`
    this.#tip.classList.toggle('left', x > this.#container.clientWidth / 2)
    this.#tip.style.setProperty('--x', `${x}px`)
  }
}

const SPARK_WIDTH = 120
const SPARK_HEIGHT = 24
// The highest value is below the top edge, so that a steady row is a line and not a block.
const HEADROOM = 1.25

/** Returns the text of a mean's span. */
export function meanSeconds (span) {
  return duration(Math.max(1, Math.round(span)))
}

/** A line without a scale, for a row. The numbers in the row say the same as text. */
export class Spark {
  root = svg('svg', 'spark')
  #area = svg('path', 'area')
  #line = svg('path', 'line')

  constructor () {
    this.root.setAttribute('aria-hidden', 'true')
    this.root.setAttribute('viewBox', `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`)
    this.root.setAttribute('preserveAspectRatio', 'none')
    this.root.append(this.#area, this.#line)
  }

  /** Draws the line, and returns the highest value. */
  draw (points, now, span) {
    const seen = recent(points, now, span)
    const highest = seen.reduce((max, { v }) => Math.max(max, v ?? 0), 0)
    const x = (t) => Math.max(0, 1 - (now - t) / span) * SPARK_WIDTH
    const y = (v) => SPARK_HEIGHT - 2 - (v / ((highest || 1) * HEADROOM)) * (SPARK_HEIGHT - 4)
    const { line, area } = paths(seen, x, y, SPARK_HEIGHT)
    this.#line.setAttribute('d', line)
    this.#area.setAttribute('d', area)
    return highest
  }
}
