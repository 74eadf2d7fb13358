/* eslint-env browser */
// Chooses a span on a chart: by dragging, or with keys while the chart has the focus.

import { clockTime, duration } from './format.mjs'

// A pointer that moves less than this between down and up is a click.
const DRAG_PIXELS = 4

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 }

export class Selector {
  #container
  #chart
  #callbacks
  #boxes = {}
  #range = [0, 1]
  #step = 1
  #cursor = null
  #anchor = null
  #spans = { span: null, base: null }
  #drag = null

  /**
   * @param {HTMLElement} container
   * @param {import('./chart.mjs').Chart} chart
   * @param {{ onSpan: (span: import('./view.mjs').Span | null) => void, onClick: (time: number) => void,
   *   describe: (time: number) => string }} callbacks
   */
  constructor (container, chart, callbacks) {
    this.#container = container
    this.#chart = chart
    this.#callbacks = callbacks
    container.addEventListener('keydown', (event) => this.#key(event))
    container.addEventListener('blur', () => { if (chart.plot !== null && this.#cursor !== null) chart.point(null) })
  }

  /**
   * @param {[number, number]} range the times at the edges of the chart
   * @param {number} step seconds
   * @param {{ span: import('./view.mjs').Span | null, base: import('./view.mjs').Span | null }} spans
   */
  draw (range, step, spans) {
    this.#range = range
    this.#step = step
    this.#spans = spans
    if (this.#chart.plot === null) return
    if (this.#boxes.span === undefined) this.#listen(this.#chart.plot.over)
    this.#show('span', this.#drag?.span ?? spans.span)
    this.#show('base', spans.base)
    this.#describe()
  }

  #listen (over) {
    for (const name of ['base', 'span']) {
      const box = document.createElement('div')
      box.className = `box ${name}`
      box.hidden = true
      over.append(box)
      this.#boxes[name] = box
    }
    over.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return
      over.setPointerCapture(event.pointerId)
      this.#drag = { x: this.#x(event), moved: false, span: null }
    })
    over.addEventListener('pointermove', (event) => this.#move(event))
    over.addEventListener('pointerup', (event) => this.#end(event))
    over.addEventListener('pointercancel', () => {
      this.#drag = null
      this.#show('span', this.#spans.span)
    })
  }

  #x (event) {
    return event.clientX - this.#chart.plot.over.getBoundingClientRect().left
  }

  #time (x) {
    const [from, to] = this.#range
    return Math.min(to, Math.max(from, this.#chart.plot.posToVal(x, 'x')))
  }

  #move (event) {
    const drag = this.#drag
    if (drag === null) return
    const x = this.#x(event)
    drag.moved ||= Math.abs(x - drag.x) >= DRAG_PIXELS
    if (!drag.moved) return
    const [from, to] = [this.#time(drag.x), this.#time(x)].sort((a, b) => a - b)
    drag.span = { from, to: Math.max(to, from + this.#step) }
    this.#show('span', drag.span)
  }

  #end (event) {
    const drag = this.#drag
    this.#drag = null
    if (drag === null) return
    if (drag.span !== null) this.#callbacks.onSpan(drag.span)
    else this.#callbacks.onClick(this.#time(this.#x(event)))
  }

  #key (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#chart.plot === null) return
    const [from, to] = this.#range
    const step = STEPS[event.key]
    if (event.key === 'Escape') {
      this.#anchor = null
      this.#callbacks.onSpan(null)
    } else if (step !== undefined || event.key === 'Home' || event.key === 'End') {
      const start = this.#cursor ?? to
      const next = event.key === 'Home' ? from : event.key === 'End' ? to : start + step * this.#step
      this.#cursor = Math.min(to, Math.max(from, next))
      if (event.shiftKey) this.#extend(start)
      else this.#anchor = null
      this.#chart.point(this.#cursor)
    } else {
      return
    }
    event.preventDefault()
    this.#describe()
  }

  #extend (start) {
    this.#anchor ??= start
    const [from, to] = [this.#anchor, this.#cursor].sort((a, b) => a - b)
    if (to > from) this.#callbacks.onSpan({ from, to })
  }

  #show (name, span) {
    const box = this.#boxes[name]
    if (box === undefined) return
    box.hidden = span === null
    if (span === null) return
    const { plot } = this.#chart
    const edge = (time) => Math.min(plot.over.clientWidth, Math.max(0, plot.valToPos(time, 'x')))
    box.style.left = `${edge(span.from)}px`
    box.style.width = `${Math.max(2, edge(span.to) - edge(span.from))}px`
  }

  #describe () {
    const [from, to] = this.#range
    const time = Math.min(to, Math.max(from, this.#cursor ?? to))
    const { span } = this.#spans
    const chosen = span === null ? '' : `. Chosen: ${clockTime(span.from)} to ${clockTime(span.to)}, ${duration(span.to - span.from)}`
    const attributes = { valuemin: Math.floor(from), valuemax: Math.ceil(to), valuenow: Math.round(time), valuetext: `${clockTime(time)}: ${this.#callbacks.describe(time)}${chosen}` }
    for (const [name, value] of Object.entries(attributes)) {
      if (this.#container.getAttribute(`aria-${name}`) !== String(value)) this.#container.setAttribute(`aria-${name}`, String(value))
    }
  }
}
