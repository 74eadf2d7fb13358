'use strict'

/*
 * The table of the busiest groups. Pure. The name is in the last column, so that a name of any width shifts no figure.
 */

const { count, percent, rate, titleOf } = require('./format')
const { spark } = require('./spark')
const { printable, widthOf } = require('./text')
const { TREND_ROWS, TREND_SECONDS } = require('./views')

/**
 * @typedef {import('./model').State} State
 * @typedef {import('./screen').Line} Line
 * @typedef {{ heading: string, width: number, right: boolean, text: (row: import('./model').Row) => string }} Column
 */

/**
 * Returns at most `room` lines: a title, the headings and the rows.
 *
 * @param {State} state
 * @param {number} width in columns
 * @param {number} room
 * @param {boolean} [isTrimmed] true: no line ends with spaces
 * @returns {Line[]}
 */
function tableLines (state, width, room, isTrimmed = false) {
  const { answer, offset } = state
  if (answer === null || room < 3) return []
  const { rows, other } = answer.summary
  const columns = columnsOf(state, width)
  const shown = rows.slice(offset, offset + room - 2)
  const groups = rows.length + other.groups
  const range = shown.length === 0 ? 'no row' : `${count(offset + 1)} to ${count(offset + shown.length)} of ${count(groups)}`
  const headings = columns.map(({ heading, width, right }) => pad(heading, width, right)).join('  ')
  const lines = shown.map((row) => columns.map(({ text, width, right }) => pad(text(row), width, right)).join('  '))
  return [
    { text: titleOfTable(state, range), style: 'bold' },
    { text: headings, style: 'heading' },
    ...lines.map((text) => ({ text: isTrimmed ? text.trimEnd() : text, style: /** @type {const} */ ('plain') }))
  ]
}

/**
 * @param {State} state
 * @param {string} range
 */
function titleOfTable ({ shown: settings, answer }, range) {
  const order = answer?.summary.order === 'rate' ? 'calls/s' : 'calls'
  // The server sorts by rate only if its recorder has the labels of the rows.
  const note = order === 'calls' && settings.order === 'rate' ? ' (no rates are recorded for these rows)' : ''
  const search = settings.search === '' ? '' : ` · search "${printable(settings.search)}"`
  return `${printable(settings.view.name)} by ${order}${note}${search} · ${range}`
}

/**
 * Returns the columns that fit into a width.
 *
 * @param {State} state
 * @param {number} width
 * @returns {Column[]}
 */
function columnsOf ({ answer, shown: settings }, width) {
  if (answer === null) return []
  const { summary, trends } = answer
  const byRate = summary.order === 'rate'
  const whole = byRate ? summary.calls.rate : summary.calls.total
  const share = (/** @type {import('./model').Row} */ row) => {
    const calls = byRate ? row.rate : row.value
    return calls === undefined || whole === null || whole === 0 ? percent(null) : percent(Math.min(1, calls / whole))
  }
  const trendWidth = width >= 120 ? 30 : width >= 90 ? 20 : 12
  const steps = stepsByRow(trends)
  /** @type {(Column & { from: number })[]} from: the width from which the column is shown */
  const columns = [
    { from: 0, heading: 'calls/s', width: 9, right: true, text: (row) => rate(row.rate) },
    { from: 50, heading: byRate ? '% of /s' : '% of all', width: 8, right: true, text: share },
    { from: 60, heading: 'calls', width: 13, right: true, text: (row) => count(row.value) },
    { from: 72, heading: `last ${TREND_SECONDS} s`, width: trendWidth, right: false, text: (row) => trends === null ? '' : spark(steps(row), trendWidth) },
    { from: 0, heading: settings.view.by.join(' · ').replace('object_classname · caller_functionname', 'class.function'), width: 0, right: false, text: nameOf(settings.view.by) }
  ]
  return columns.filter(({ from }) => width >= from)
}

/**
 * Returns a function that finds the steps of a row. A row that the history does not contain had no calls, unless the history
 * has the maximum number of rows; then its calls are unknown.
 *
 * @param {import('./model').History | null} trends
 * @returns {(row: import('./model').Row) => (number | null)[]}
 */
function stepsByRow (trends) {
  if (trends === null) return () => []
  const steps = new Map(trends.rows.map(({ labels, calls }) => [keyOf(labels), calls]))
  const without = trends.points.calls.map((calls) => calls === null || trends.rows.length >= TREND_ROWS ? null : 0)
  return ({ labels }) => steps.get(keyOf(labels)) ?? without
}

/** @param {Record<string, string>} labels */
function keyOf (labels) {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1))
}

/**
 * @param {readonly string[]} by
 * @returns {(row: import('./model').Row) => string}
 */
function nameOf (by) {
  if (by.join() !== 'parent_object_classname,object_classname') return ({ labels }) => titleOf(labels)
  const one = (/** @type {string | undefined} */ value) => value === undefined || value === '' ? 'none' : printable(value, 60)
  return ({ labels }) => 'hypertrace_overflow' in labels ? titleOf(labels) : `${one(labels.parent_object_classname)} → ${one(labels.object_classname)}`
}

/**
 * @param {string} text
 * @param {number} width
 * @param {boolean} right
 */
function pad (text, width, right) {
  const blank = ' '.repeat(Math.max(0, width - widthOf(text)))
  return right ? blank + text : text + blank
}

module.exports = { tableLines }
