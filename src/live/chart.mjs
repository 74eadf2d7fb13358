/* eslint-env browser */
/* global uPlot */
// Charts over time: layers on top of each other, stalls and restarts as marks, one cursor for all charts.
// uPlot draws the lines. The text for screen readers is the label of the container.

import { axisRate, clockTime, delay } from './format.mjs'
import { palette, onScheme } from './palette.mjs'
import { highestOf, mix, scaleEnd } from './scale.mjs'

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif'
const sync = () => uPlot.sync('live')

const SCALE_WIDTH = 52
const HALF_LABEL = 28

/**
 * @typedef {{ name: string, colour: string, values: (number | null)[], sums: (number | null)[], key: string }} Layer
 *   `colour`: a name in the palette
 * @typedef {object} Drawing
 * @property {number[]} times
 * @property {Layer[]} layers the lowest first
 * @property {[number, number]} range the times at the edges
 * @property {import('./recording.mjs').Stall[]} stalls
 * @property {number[]} restarts
 * @property {boolean} [dimmed] true for values that are not current
 */

export class Chart {
  /** @type {any} */
  plot = null
  #container
  #name
  #format
  #tall
  #layers
  /** @type {Drawing | null} */
  #drawing = null
  #emphasis = null
  #tip
  #top

  /**
   * @param {HTMLElement} container
   * @param {string} name the name of the chart for screen readers
   * @param {(value: number | null) => string} format
   * @param {number} [layers] the maximum number of layers; a chart with more than one has axes
   */
  constructor (container, name, format, layers = 1) {
    this.#container = container
    this.#name = name
    this.#format = format
    this.#layers = layers
    this.#tall = layers > 1
    this.#tip = add(container, 'tip')
    this.#tip.hidden = true
    this.#top = add(container, 'scale')
    new ResizeObserver(() => this.#resize()).observe(container)
    onScheme(() => this.plot?.redraw(false))
  }

  /** @param {Drawing} drawing */
  draw (drawing) {
    this.#drawing = drawing
    const { layers } = drawing
    const highest = highestOf(layers.at(-1)?.sums ?? [])
    const last = layers.length === 0 ? null : layers.at(-1).sums.at(-1) ?? null
    this.#container.setAttribute('aria-label', layers.length === 0
      ? `${this.#name}: no data yet`
      : `${this.#name}: now ${this.#format(last)}, highest ${this.#format(highest)}`)
    this.#top.textContent = this.#tall ? '' : this.#format(scaleEnd(highest))
    if (this.#container.clientWidth === 0) return
    if (this.plot === null) this.#create()
    else this.plot.setData(this.#data)
  }

  /** Dims all layers except the one with this key; `null` ends the dimming. */
  emphasise (key) {
    if (this.#emphasis === key) return
    this.#emphasis = key
    this.plot?.redraw(false)
  }

  /** Moves the cursor to a time; `null` removes the cursor. */
  point (time) {
    const left = time === null ? -10 : this.plot.valToPos(time, 'x')
    this.plot.setCursor({ left, top: time === null ? -10 : 10 }, true, true)
  }

  // The top layer is drawn first. A layer is filled down to 0, and the layers below are drawn over it.
  get #data () {
    const { times, layers } = this.#drawing
    const empty = times.map(() => null)
    const sums = Array.from({ length: this.#layers }, (_, i) => layers[this.#layers - 1 - i]?.sums ?? empty)
    return [times, ...sums]
  }

  #layerOf (series) {
    return this.#drawing.layers[this.#layers - series]
  }

  #colour (series, share) {
    const layer = this.#layerOf(series)
    const colours = palette()
    if (layer === undefined) return colours.surface
    const { dimmed } = this.#drawing
    const isDimmed = this.#emphasis === null ? dimmed : this.#emphasis !== layer.key
    const colour = dimmed ? colours.quiet : colours[layer.colour]
    return mix(colour, colours.surface, isDimmed ? share * 0.3 : share)
  }

  #create () {
    const series = Array.from({ length: this.#layers }, () => ({
      stroke: (_, i) => this.#colour(i, 1),
      fill: (_, i) => this.#colour(i, this.#tall ? 0.72 : 0.16),
      width: this.#tall ? 1 : 1.5,
      points: { show: (plot, i, first, last) => first === last, size: 3 }
    }))
    const axis = { stroke: () => palette().quiet, font: FONT, ticks: { show: false } }
    const grid = { stroke: () => palette().rule, width: 1 }
    this.plot = new uPlot({ // eslint-disable-line new-cap -- the name that uPlot has
      ...this.#size,
      padding: this.#tall ? [8, 0, 0, 0] : [14, 0, 0, 0],
      series: [{}, ...series],
      scales: {
        x: { time: true, range: () => this.#drawing.range },
        y: { range: () => [0, scaleEnd(highestOf(this.#drawing.layers.at(-1)?.sums ?? []))] }
      },
      axes: [
        { ...axis, show: this.#tall, size: 22, gap: 4, space: 84, grid: { show: false }, values: (plot, splits) => splits.map((time) => fits(plot, time) ? clockTime(time) : '') },
        {
          ...axis,
          show: this.#tall,
          size: SCALE_WIDTH,
          gap: 6,
          grid,
          splits: (plot) => [0, plot.scales.y.max / 2, plot.scales.y.max],
          values: (_, splits) => splits.map((value) => value === 0 ? '0' : axisRate(value))
        }
      ],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: false, y: false },
        sync: { key: sync().key, setSeries: false, scales: ['x', null] }
      },
      hooks: {
        drawClear: [(plot) => this.#drawGrid(plot), (plot) => this.#drawStalls(plot, 0.16, plot.bbox.height)],
        draw: [(plot) => this.#drawStalls(plot, 1, 3 * devicePixelRatio), (plot) => this.#drawRestarts(plot)],
        setCursor: [(plot) => this.#showTip(plot)]
      }
    }, this.#data, this.#container)
    sync().sub(this.plot)
  }

  get #size () {
    const { clientWidth: width, clientHeight: height } = this.#container
    return { width, height }
  }

  #resize () {
    if (this.plot !== null) this.plot.setSize(this.#size)
    else if (this.#drawing !== null) this.draw(this.#drawing)
  }

  #drawGrid ({ ctx, bbox: { left, top, width, height } }) {
    if (this.#tall) return
    ctx.save()
    ctx.fillStyle = palette().rule
    for (const y of [top, top + height - 1]) ctx.fillRect(left, y, width, Math.max(1, devicePixelRatio / 2))
    ctx.restore()
  }

  /** Draws stalls: as bands below the layers, or as lines above them. */
  #drawStalls (plot, alpha, height) {
    const { ctx, bbox: { left, top, width } } = plot
    const x = (time) => Math.min(left + width, Math.max(left, plot.valToPos(time, 'x', true)))
    ctx.save()
    ctx.fillStyle = palette().alarm
    ctx.globalAlpha = alpha
    for (const { startTimeSeconds: start, seconds } of this.#drawing.stalls) {
      const [from, to] = [x(start), x(start + seconds)]
      if (to > left && from < left + width) ctx.fillRect(from, top, Math.max(to - from, 2 * devicePixelRatio), height)
    }
    ctx.restore()
  }

  #drawRestarts (plot) {
    const { ctx, bbox: { left, top, height } } = plot
    ctx.save()
    ctx.strokeStyle = palette().quiet
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    for (const time of this.#drawing.restarts) {
      const x = plot.valToPos(time, 'x', true)
      if (x < left) continue
      ctx.moveTo(x, top)
      ctx.lineTo(x, top + height)
    }
    ctx.stroke()
    ctx.restore()
  }

  #showTip ({ cursor: { idx, left }, bbox, over }) {
    const { times, layers, stalls } = this.#drawing
    const total = idx == null ? null : layers.at(-1)?.sums[idx] ?? null
    this.#tip.hidden = left < 0 || total === null
    if (this.#tip.hidden) return
    const time = times[idx]
    const stall = stalls.find(({ startTimeSeconds: start, seconds }) => start < time && time <= start + seconds + 1)
    const head = add(null, 'tip-time', `${clockTime(time)}${stall === undefined ? '' : ` · blocked ${delay(stall.seconds)}`}`)
    const lines = this.#tall
      ? [['', 'All calls', total], ...layers.filter(({ values }) => values[idx] > 0).map(({ colour, name, values }) => [colour, name, values[idx]])]
      : [['', '', total]]
    this.#tip.replaceChildren(head, ...lines.map(([colour, name, value]) => {
      const line = add(null, 'tip-line')
      if (colour !== '') add(line, 'swatch').dataset.colour = colour
      if (name !== '') add(line, 'tip-name', name)
      add(line, 'tip-value', this.#format(value))
      return line
    }))
    const x = over.offsetLeft + left
    const isLeft = x > this.#container.clientWidth / 2
    this.#tip.classList.toggle('left', isLeft)
    this.#tip.style.setProperty('--x', `${x}px`)
  }
}

/** Returns whether the label of a time fits before the right edge. */
function fits ({ width, scales: { x: { min, max } } }, time) {
  return (max - time) / (max - min) * (width - SCALE_WIDTH) > HALF_LABEL
}

/** Creates an element, and appends it to `parent`. */
function add (parent, className, text = '') {
  const created = document.createElement('span')
  created.className = className
  created.textContent = text
  parent?.append(created)
  return created
}
