/* eslint-env browser */
// The card of the calls: the table, the map or a comparison, for the present or for the chosen span.

import { drawComparison } from './comparison.mjs'
import { compare } from './compare.mjs'
import { $, setText } from './dom.mjs'
import { clockTime, count, duration, heading } from './format.mjs'
import { helpOn } from './help.mjs'
import { ClassMap } from './map.mjs'
import { promql } from './promql.mjs'
import { Rates } from './rates.mjs'
import { coveredBy, firstMeasured, keyOf, lastOf, meanFor, ratesOf, startOf, sumsOver } from './recording.mjs'
import { MAX_ROWS, showsObjects } from './requests.mjs'
import { Table } from './table.mjs'
import { drillDown, isRecorded, viewsOf } from './view.mjs'

// More rows of a span can be found with the search.
const SPAN_ROWS = 200

const spanName = ({ from, to }) => `${clockTime(from)} – ${clockTime(to)}`

export class Calls {
  #table
  #map
  #colourOf
  #rates = new Rates()
  #objectRates = new Rates()
  /** The rows of the recording, by key. */
  #recorded = new Map()

  /**
   * @param {{ onOpen: (labels: Record<string, string>) => void, onClass: (className: string) => void,
   *   onSort: (sort: any) => void, onHover: (key: string | null) => void,
   *   colourOf: (key: string) => string | undefined }} callbacks
   */
  constructor ({ onOpen, onClass, onSort, onHover, colourOf }) {
    this.#table = new Table($('head'), $('rows'), { onOpen, onSort, onHover, help: helpOn })
    this.#map = new ClassMap($('map'), $('map-rows'), onClass)
    this.#colourOf = colourOf
  }

  sortBy (sort) {
    this.#table.sortBy(sort)
  }

  /**
   * Draws the answers to the requests of `requestsOf`, and returns the sums over the chosen span.
   *
   * @param {import('./view.mjs').State} state
   * @param {any} answers
   * @param {string[]} labels
   */
  draw (state, answers, labels) {
    const { span, base, map } = state
    const { summary, history } = answers
    this.#recorded = new Map(history?.rows.map((row) => [keyOf(row.labels), row]))
    this.#rates.add(summary.by.join() + JSON.stringify(state.filters), summary.uptimeSeconds, summary.rows, meanFor(answers.history, state.seconds))
    const sums = span === null ? null : sumsOver(answers.span, span)
    const comparison = base !== null && !map
    $('table-view').hidden = map || comparison
    $('map-view').hidden = !map
    $('comparison-view').hidden = !comparison
    $('more').hidden = true
    setText($('rest'), '')
    setText($('calls-title'), titleOf(state))
    if (map) this.#drawMap(state, answers)
    else if (comparison) this.#drawComparison(state, answers, sums)
    else if (sums !== null) this.#drawSpan(state, answers, labels, sums)
    else this.#drawNow(state, answers, labels)
    return sums
  }

  /** Returns the trend of a row that is not in the recording. The steps before the row appeared on this page are `null`. */
  #trendSinceOpened (key, { history, summary }, { seconds, filters }) {
    const trend = this.#rates.trendOf(key)
    if (history === null || !isRecorded(summary.by, filters)) return trend
    const steps = trendOf(history.points.calls, history, seconds).length
    return [...Array(Math.max(0, steps - trend.length)).fill(null), ...trend.slice(-steps)]
  }

  #lineOf (state, answers, labels, by, value, rate, rowLabels) {
    const { history, summary } = answers
    const key = keyOf(rowLabels)
    const recorded = this.#recorded.get(key)
    const trend = recorded === undefined ? this.#trendSinceOpened(key, answers, state) : trendOf(recorded.calls, history, state.seconds)
    const next = drillDown(state, by, rowLabels, labels)
    const view = next === null ? null : viewsOf(labels, next, heading).find(({ id }) => id === next.view)
    return {
      key,
      labels: rowLabels,
      value,
      rate: rate ?? (recorded === undefined ? this.#rates.of(key) : lastOf(trend)),
      colour: this.#colourOf(key),
      trend,
      next: view?.name ?? null,
      query: queryOf(state, summary, by, rowLabels)
    }
  }

  #drawNow (state, answers, labels) {
    const { summary, history } = answers
    const { by, rows, calls, other } = summary
    const lines = rows.map(({ labels: row, value, rate }) => this.#lineOf(state, answers, labels, by, value, history === null ? rate : undefined, row))
      .map((line, i) => ({ ...line, rate: line.rate ?? rows[i].rate ?? null }))
    const mean = meanText(history, state.seconds)
    const trend = history !== null && isRecorded(by, state.filters) ? lastText(history, state.seconds) : 'since opened'
    this.#table.draw(by, lines, calls.matched, { rate: mean, value: 'since start', share: 'of calls', trend })
    if (other.groups > 0) setText($('rest'), `${count(other.groups)} more rows with ${count(other.value)} calls are not shown.`)
    else if (rows.length === 0) setText($('rest'), state.search === '' ? '' : 'No row has this text.')
    $('more').hidden = other.groups === 0 || rows.length >= MAX_ROWS
  }

  #drawSpan (state, answers, labels, { rows, total, seconds }) {
    const { by } = answers.span
    const shown = rows.slice(0, SPAN_ROWS)
    const lines = shown.map(({ labels: row, value }) => this.#lineOf(state, answers, labels, by, value, value / seconds, row))
    const length = duration(seconds)
    this.#table.draw(by, lines, total, { rate: `${length} mean`, value: `in ${length}`, share: 'of calls', trend: lastText(answers.history, state.seconds) })
    if (seconds === 0) setText($('rest'), 'The recording does not have this time.')
    else if (rows.length === 0) setText($('rest'), 'No call in this time.')
    else if (shown.length < rows.length) setText($('rest'), `${count(rows.length - shown.length)} more rows with fewer calls are not shown.`)
  }

  #drawComparison ({ base }, answers, sums) {
    const before = sumsOver(answers.span, base)
    const { shown, all } = drawComparison($('comparison-head'), $('comparison-rows'), answers.span.by, compare(before, sums))
    if (sums.seconds === 0 || before.seconds === 0) setText($('rest'), 'The recording does not have all of this time.')
    else if (shown < all) setText($('rest'), `${count(all - shown)} rows with about the same rate are not shown.`)
  }

  #drawMap (state, answers) {
    const { map, objects, history } = answers
    if (objects !== undefined) {
      this.#objectRates.add(objects.by.join() + JSON.stringify(state.filters), objects.uptimeSeconds, objects.rows, meanFor(answers.history, state.seconds))
      const hidden = this.#map.draw(objects.rows.map(({ labels, value }) => ({ labels, value, rate: this.#objectRates.of(keyOf(labels)) ?? 0 })))
      this.#showMapUnits(meanText(history, state.seconds), 'since start', hidden + objects.other.groups, objects.by.includes('object_id') ? 'objects' : 'classes')
      return
    }
    if (map === undefined) return
    const sums = sumsOver(map, state.span ?? { from: map.endTimeSeconds - state.seconds, to: map.endTimeSeconds })
    const now = new Map(map.rows.map(({ labels, calls }) => [keyOf(labels), lastOf(ratesOf(calls, map.stepSeconds, meanFor(answers.history, state.seconds))) ?? 0]))
    const rows = sums.rows.map(({ labels, value }) => ({ labels, value, rate: state.span === null ? now.get(keyOf(labels)) : value / sums.seconds }))
    const hidden = this.#map.draw(rows)
    const mean = state.span === null ? meanText(history, state.seconds) : `${duration(sums.seconds)} mean`
    this.#showMapUnits(mean, `in ${duration(sums.seconds)}`, hidden, 'classes')
  }

  #showMapUnits (rateUnit, valueUnit, hidden, things) {
    setText($('map-rate-unit'), rateUnit)
    setText($('map-value-unit'), valueUnit)
    const arrow = things === 'classes' ? 'the class of a parent to the class of its objects' : 'a parent to its objects'
    setText($('map-text'), `An arrow leads from ${arrow}. Rates: ${rateUnit}. The thickness shows the calls ${valueUnit}.`)
    setText($('rest'), hidden > 0 ? `${count(hidden)} more ${things} with fewer calls are not shown.` : '')
  }
}

/** Returns the rates of a row in the time that the charts show. */
function trendOf (calls, history, seconds) {
  const { points, stepSeconds } = history
  return ratesOf(calls, stepSeconds, meanFor(history, seconds)).slice(firstMeasured(points.calls))
}

/** Returns the text of the time that the charts show. */
function lastText (history, seconds) {
  return `last ${duration(Math.round(history.endTimeSeconds - startOf(history, seconds)))}`
}

/** Returns the text of the time over which rates are computed. */
function meanText (history, seconds) {
  const mean = meanFor(history, seconds)
  return `${duration(history === null ? mean : coveredBy(history.points.calls, history.stepSeconds, mean))} mean`
}

function titleOf ({ span, base, map, filters }) {
  if (map) {
    const title = showsObjects({ map, filters, span }, ['object_id']) ? 'Map of objects' : 'Map of classes'
    return span === null ? title : `${title}, ${spanName(span)}`
  }
  if (span === null) return 'Most frequent calls'
  if (base === null) return `Calls, ${spanName(span)}`
  return `${spanName(span)}, compared with ${spanName(base)}`
}

/** Returns a row as PromQL: its labels, the filters, and the default labels of the process. */
function queryOf ({ filters }, { metric, defaultLabels = {} }, by, row) {
  if ('hypertrace_overflow' in row) return null
  const labels = [...Object.entries(defaultLabels), ...filters, ...by.map((label) => [label, row[label] ?? ''])]
  return promql(metric, labels)
}
