/* eslint-env browser */
// The header and the charts: the facts of the process, the present figures, and the last minutes.

import { Chart } from './chart.mjs'
import { $, button, create, setText, swatch } from './dom.mjs'
import { bytes, clockTime, count, delay, duration, percent, rate } from './format.mjs'
import { coveredBy, lastOf, matching, meanFor, ratesOf, startOf, timesOf } from './recording.mjs'
import { COLOURS, coloursOf, layersOf } from './scale.mjs'
import { Selector } from './select.mjs'
import { titleOf } from './sentence.mjs'

export const perSecond = (value) => `${rate(value)}/s`

const SMALL = [
  { id: 'lag', name: 'Event-loop lag', format: delay, valuesOf: ({ points }) => points.lagSeconds },
  { id: 'cpu', name: 'CPU, of one core', format: percent, valuesOf: ({ points, stepSeconds }, mean) => ratesOf(points.cpuSeconds, stepSeconds, mean), isMean: true },
  { id: 'heap', name: 'Heap used', format: bytes, valuesOf: ({ points }) => points.heapUsedBytes },
  { id: 'rss', name: 'Resident memory', format: bytes, valuesOf: ({ points }) => points.residentMemoryBytes }
]

export class Overview {
  #calls = new Chart($('chart-calls'), 'Calls per second', perSecond, COLOURS + 1)
  #small = SMALL.map((figure) => ({ ...figure, chart: new Chart($(`chart-${figure.id}`), figure.name, figure.format) }))
  #selector
  #colours = new Map()
  #layers = []
  #times = []
  #onHover

  /**
   * @param {{ onSpan: (span: import('./view.mjs').Span | null) => void, onClick: (time: number) => void,
   *   onHover: (key: string | null) => void }} callbacks
   */
  constructor ({ onSpan, onClick, onHover }) {
    this.#onHover = onHover
    this.#selector = new Selector($('chart-calls'), this.#calls, { onSpan, onClick, describe: (time) => this.#describe(time) })
  }

  /** Returns the colour of a row, `undefined` if the row has no colour of its own. */
  colourOf (key) {
    const colour = this.#colours.get(key)
    return colour === undefined ? undefined : `c${colour}`
  }

  /** Dims the layers of all rows except the row with this key; `null` ends the dimming. */
  emphasise (key) {
    const isLayer = this.#colours.has(key) || key === 'other'
    this.#calls.emphasise(isLayer ? key : null)
  }

  /**
   * @param {import('./recording.mjs').History} recording
   * @param {{ stalls: import('./recording.mjs').Stall[], restarts: number[], dimmed: boolean,
   *   isFiltered: boolean } & import('./view.mjs').State} view
   */
  draw (recording, { stalls, restarts, seconds, dimmed, isFiltered, span, base }) {
    const history = isFiltered ? matching(recording) : recording
    const { points, stepSeconds, endTimeSeconds: to } = history
    const mean = meanFor(history, seconds)
    const times = timesOf(history)
    // A mean is drawn in the middle of the time that it covers, so that a change of the rate is drawn at the time of the change.
    const middles = this.#times = times.map((time) => time - mean / 2)
    const range = [startOf(history, seconds), to]
    const layers = layersOf(history, mean)
    this.#colours = coloursOf(this.#colours, layers.filter(({ labels }) => labels !== null).map(({ key }) => key))
    this.#layers = layers.map((layer) => ({
      ...layer,
      name: layer.labels === null ? 'Other calls' : titleOf(layer.labels),
      colour: layer.labels === null ? 'other' : this.colourOf(layer.key)
    }))
    const drawing = { range, stalls, restarts, dimmed }
    this.#calls.draw({ ...drawing, times: middles, layers: this.#layers })
    for (const { id, chart, format, valuesOf, isMean } of this.#small) {
      const values = valuesOf(history, mean)
      chart.draw({ ...drawing, times: isMean ? middles : times, layers: [{ key: id, name: '', colour: 'accent', values, sums: values }] })
      setText($(`${id}-now`), format(values.at(-1) ?? null))
    }
    this.#selector.draw(range, stepSeconds, { span, base })
    const rates = ratesOf(points.calls, stepSeconds, mean)
    const text = `${duration(coveredBy(points.calls, stepSeconds, mean))} mean`
    setText($('rate-now'), rate(lastOf(rates)))
    setText($('rate-title'), isFiltered ? 'Calls per second that match' : 'Calls per second')
    setText($('rate-window'), text)
    setText($('cpu-window'), `${text}, of one core`)
    this.#showLegend()
    return lastOf(rates)
  }

  #showLegend () {
    const shown = this.#layers.filter(({ values }) => values.some((value) => value > 0))
    const legend = $('legend')
    const text = shown.map(({ key, colour }) => key + colour).join('\n')
    if (legend.dataset.shown === text) return
    legend.dataset.shown = text
    legend.replaceChildren(...shown.map(({ key, name, colour }) => {
      const item = create('li')
      item.append(swatch(colour), create('bdi', '', name))
      item.addEventListener('pointerenter', () => this.#onHover(key))
      item.addEventListener('pointerleave', () => this.#onHover(null))
      return item
    }))
  }

  #describe (time) {
    const index = this.#times.findIndex((end) => end >= time - 1e-6)
    const total = this.#layers.at(-1)?.sums[index] ?? null
    return total === null ? 'not measured' : `${rate(total)} calls per second`
  }
}

/** Shows the name and the facts of the process. */
export function showProcess ({ process, version, defaultLabels = {}, processes = [], absentProcesses = [] }) {
  const { name, pid, nodeVersion, threads } = process
  const facts = [
    processes.length > 0 ? `${count(processes.length)} ${processes.length === 1 ? 'process' : 'processes'}` : '',
    absentProcesses.length > 0 ? `no answer from process ${absentProcesses.join(', ')}` : '',
    pid == null ? '' : `pid ${pid}`,
    nodeVersion == null ? '' : `Node.js ${nodeVersion.replace(/^v/, '')}`,
    version === undefined ? '' : `hypertrace-prometheus ${version}`,
    threads == null ? '' : threads === 1 ? '1 thread' : `${count(threads)} threads`,
    ...Object.entries(defaultLabels).map(([label, value]) => `${label}="${value}"`)
  ].filter((text) => text !== '')
  setText($('process-name'), name || location.host || 'process')
  const list = $('process-facts')
  if (list.dataset.shown === facts.join('\n')) return
  list.dataset.shown = facts.join('\n')
  list.replaceChildren(...facts.map((text) => create('li', '', text)))
}

/**
 * Shows the list from which the user chooses a process, if there are several.
 *
 * @param {{ process: number, pid?: number }[]} processes
 * @param {string} chosen the number of a process; empty for all
 * @param {(number: string) => void} onChoose
 */
export function showProcesses (processes, chosen, onChoose) {
  const choice = /** @type {HTMLSelectElement} */ ($('process-choice'))
  const numbers = ['', ...processes.map(({ process }) => String(process))]
  choice.hidden = processes.length < 2 && chosen === ''
  choice.onchange = () => onChoose(choice.value)
  if (choice.dataset.shown !== numbers.join()) {
    choice.dataset.shown = numbers.join()
    choice.replaceChildren(...numbers.map((number) => new Option(number === '' ? 'All processes' : `Process ${number}`, number)))
  }
  if (document.activeElement !== choice) choice.value = chosen
}

/** Shows the totals. */
export function showTotals ({ calls, series: { used, limit }, uptimeSeconds }) {
  setText($('total'), count(calls.total))
  setText($('uptime'), duration(uptimeSeconds))
  setText($('series'), `${count(used)} of ${count(limit)}`)
  $('series-bar').style.setProperty('--share', Math.min(1, used / limit).toFixed(4))
  $('series-bar').classList.toggle('near', used > 0.8 * limit)
}

/**
 * Shows the chosen span, and the buttons for it.
 *
 * @param {import('./view.mjs').State} state
 * @param {{ total: number, seconds: number } | null} sums
 * @param {{ onCompare: () => void, onPick: () => void, onClear: () => void, onUncompare: () => void }} actions
 * @param {boolean} isPicking true while the user chooses the span to compare with
 */
export function showSpan ({ span, base }, sums, actions, isPicking) {
  $('span-hint').hidden = span !== null
  $('span-bar').hidden = span === null
  if (span === null) return
  const length = duration(span.to - span.from)
  const figures = sums === null || sums.seconds === 0
    ? 'not in the recording'
    : `${count(sums.total)} calls, ${perSecond(sums.total / sums.seconds)}`
  setText($('span-text'), `${clockTime(span.from)} – ${clockTime(span.to)} (${length}): ${figures}`)
  const labels = base === null
    ? [[`Compare with the ${length} before`, actions.onCompare], [isPicking ? 'Now choose the other span' : 'Compare with another span', actions.onPick]]
    : [['End the comparison', actions.onUncompare]]
  const all = [...labels, ['Show now', actions.onClear]]
  const text = all.map(([label]) => label).join('\n')
  if ($('span-buttons').dataset.shown === text) return
  $('span-buttons').dataset.shown = text
  $('span-buttons').replaceChildren(...all.map(([label, onclick]) => button(label, onclick, 'plain')))
}
