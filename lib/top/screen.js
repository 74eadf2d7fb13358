'use strict'

/*
 * The lines of a screen, from the state and the size of the terminal. Pure. A style only emphasises what the text
 * says, so that the screen is complete without colours.
 */

const { UNKNOWN, bytes, clockTime, count, delay, duration, percent, rate, stallSentence } = require('./format')
const { KEYS } = require('./keys')
const { spark } = require('./spark')
const { tableLines } = require('./table')
const { cut, printable, widthOf, wrap } = require('./text')
const { STALL_SECONDS, TREND_SECONDS } = require('./views')

/**
 * @typedef {'plain' | 'bold' | 'dim' | 'alert' | 'heading'} Style
 * @typedef {{ text: string, style: Style }} Line
 * @typedef {{ columns: number, rows: number }} Size
 * @typedef {import('./model').State} State
 */

const LABEL_WIDTH = 12
/** The number of lines of a table above its rows. */
const HEADINGS = 2

/**
 * @param {string} text
 * @param {Style} [style]
 * @returns {Line}
 */
const line = (text, style = 'plain') => ({ text, style })

/**
 * Returns the lines of a screen: `rows` lines, none wider than `columns`.
 *
 * @param {State} state
 * @param {Size} size
 * @param {number} now seconds since 1970
 * @returns {Line[]}
 */
function screen (state, size, now) {
  const room = Math.max(0, size.rows - 1)
  const top = linesAbove(state, size, now)
  const table = state.help ? [] : tableLines(state, size.columns, room - top.length)
  const body = [...top, ...table].slice(0, room)
  const blank = Array.from({ length: room - body.length }, () => line(''))
  return [...body, ...blank, footer(state, size)].map(({ text, style }) => line(cut(text, size.columns), style))
}

/**
 * Returns the number of rows of the table on a screen.
 *
 * @param {State} state
 * @param {Size} size
 */
function tableRows (state, size) {
  return Math.max(1, size.rows - 1 - linesAbove(state, size, 0).length - HEADINGS)
}

/**
 * Returns the lines of a snapshot, which have no maximum length.
 *
 * @param {State} state
 * @param {number} rows of the table
 * @param {number} now seconds since 1970
 * @returns {Line[]}
 */
function snapshot (state, rows, now) {
  return [...linesAbove(state, { columns: Infinity, rows: 60 }, now), ...tableLines(state, 100, rows + HEADINGS, true)]
}

/**
 * Returns the lines above the table.
 *
 * @param {State} state
 * @param {Size} size
 * @param {number} now
 */
function linesAbove (state, size, now) {
  const title = titleLines(state, size, now)
  if (state.help) return [...title, ...helpLines()]
  if (state.answer === null) return title
  const gap = size.rows >= 22 ? [line('')] : []
  return [...title, ...headLines(state, size), ...stallLines(state, size), ...gap]
}

/**
 * @param {State} state
 * @param {Size} size
 * @param {number} now
 */
function titleLines (state, { columns }, now) {
  const { base, failure, paused, answeredAt, insecure, answer } = state
  const time = clockTime(now)
  const title = [
    ...(paused ? [`PAUSED at ${clockTime(answeredAt)}`] : []), columns < 80 ? 'top' : 'hypertrace-prometheus top', printable(base),
    ...(insecure ? ['certificate not verified'] : [])
  ].join(' · ')
  const gap = Number.isFinite(columns) ? columns - widthOf(title) - time.length : 2
  const lines = [line(gap > 0 ? title + ' '.repeat(gap) + time : title, 'bold')]
  if (failure !== null) {
    const old = answer === null ? '' : ` The figures are those of ${clockTime(answeredAt)}.`
    const texts = [`NO ANSWER since ${clockTime(failure.since)}. Trying again.${old}`, failure.message]
    lines.push(...texts.flatMap((text) => wrap(text, columns)).map((text) => line(text, 'alert')))
  } else if (answer === null) lines.push(line('Waiting for the first answer.'))
  return lines
}

/**
 * @param {State} state
 * @param {Size} size
 */
function headLines (state, { columns, rows }) {
  const { answer } = state
  if (answer === null) return []
  const { summary, course } = answer
  const { process, calls, series, eventLoop, windowSeconds } = summary
  const labels = Object.entries(summary.defaultLabels ?? {}).map(([name, value]) => `${printable(name)}=${printable(String(value))}`)
  const { processes } = summary
  const identity = [
    printable(String(process.name ?? 'process')), processes === undefined ? `pid ${process.pid ?? UNKNOWN}` : plural(processes.length, 'process', 'processes'), `Node.js ${printable(String(process.nodeVersion ?? UNKNOWN))}`,
    `hypertrace-prometheus ${printable(String(summary.version))}`, plural(process.threads, 'thread', 'threads'),
    `up ${duration(summary.uptimeSeconds)}`, ...labels
  ]
  const points = course?.points
  const cpu = lastCpu(course)
  const lag = eventLoop.answering ? `responds, lag ${delay(eventLoop.lagSeconds)}` : `DOES NOT RESPOND, ${delay(eventLoop.lagSeconds)} so far`
  const trend = points === undefined || columns < 72 ? '' : `   ${spark(points.calls.slice(-stepsOf(course)), columns >= 110 ? 60 : columns >= 90 ? 30 : 12)} last ${TREND_SECONDS} s`
  const memory = `heap ${bytes(process.heapUsedBytes)}   memory ${bytes(process.residentMemoryBytes)}`
  const figures = `series ${count(series.used)} of ${count(series.limit)}`
  const lines = [
    ...wrap(identity.join(' · '), columns, rows >= 20 ? 2 : 1).map((text) => line(text)),
    line(`${label('Calls')}${rate(calls.rate)}/s (mean of ${seconds(windowSeconds)})   ${count(calls.total)} in all${trend}`),
    line(`${label('Event loop')}${lag}   CPU ${percent(cpu)}${cpu === null ? '' : ' (last step)'}`, eventLoop.answering ? 'plain' : 'alert'),
    line(`${label('Memory')}${memory}   ${figures}`)
  ]
  const absent = (summary.absentProcesses ?? []).map((name) => printable(String(name)))
  if (absent.length > 0) lines.push(...wrap(`NO ANSWER of process ${absent.join(', ')}: no figure contains its calls.`, columns, 2).map((text) => line(text, 'alert')))
  if (course === null) {
    const text = 'Nothing is recorded: no stalls, no trends. Start the application without `history: 0` to see them.'
    lines.push(...wrap(text, columns).map((text) => line(text)))
  }
  return rows < 10 ? lines.slice(0, 2) : lines
}

/**
 * @param {number | null | undefined} number
 * @param {string} one
 * @param {string} more
 */
function plural (number, one, more) {
  return `${count(number)} ${number === 1 ? one : more}`
}

/** @param {string} text */
const label = (text) => text.padEnd(LABEL_WIDTH)

/** @param {number | null | undefined} value */
function seconds (value) {
  return typeof value === 'number' ? `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} s` : UNKNOWN
}

/** @param {import('./model').History | null} course */
function stepsOf (course) {
  return course === null ? 0 : Math.ceil(TREND_SECONDS / course.stepSeconds)
}

/** @param {import('./model').History | null} course */
function lastCpu (course) {
  const last = course?.points.cpuSeconds?.at(-1) ?? null
  return last === null || course === null ? null : last / course.stepSeconds
}

/**
 * Returns lines for the ongoing stalls, then for the last stalls that have ended, the newest first.
 *
 * @param {State} state
 * @param {Size} size
 */
function stallLines (state, { rows, columns }) {
  const { stalls, answer } = state
  const newest = [...stalls].reverse()
  const ongoing = newest.filter(({ ongoing }) => ongoing === true).slice(0, 3)
  const past = newest.filter(({ ongoing }) => ongoing !== true)
  const shown = rows >= 30 ? 5 : rows >= 22 ? 3 : rows >= 14 ? 1 : 0
  const lines = ongoing.flatMap((stall) => wrap(`STALL NOW: ${sentenceOf(stall)}`, columns, 2)).map((text) => line(text, 'alert'))
  if (shown === 0 || answer === null || (answer.course === null && stalls.length === 0)) return lines
  const span = `${STALL_SECONDS / 60} min`
  if (past.length === 0) return [...lines, line(`${label('Stalls')}none${ongoing.length > 0 ? ' before' : ''} in the last ${span}`)]
  const number = `${past.length} in the last ${span}`
  return [
    ...lines,
    line(`${label('Stalls')}${past.length > shown ? `${number}, the last ${shown === 1 ? 'one' : shown}:` : `${number}:`}`),
    ...past.slice(0, shown).map((stall) => line(`  ${sentenceOf(stall)}`))
  ]
}

/** @param {import('./format').Stall} stall */
function sentenceOf (stall) {
  const { process } = stall
  return process === undefined ? stallSentence(stall) : `Process ${printable(String(process))}: ${stallSentence(stall)}`
}

function helpLines () {
  return [line(''), line('Keys', 'bold'), ...KEYS.map(([key, effect]) => line(`  ${key.padEnd(20)}${effect}`)), line(''), line('Any key ends the help.')]
}

/**
 * @param {State} state
 * @param {Size} size
 * @returns {Line}
 */
function footer ({ typing, paused, settings }, { columns }) {
  if (typing) return line(`Search: ${printable(settings.search)}_   Enter done · Esc no search`, 'heading')
  if (columns < 70) return line('q quit · s sort · / search · ? help', 'dim')
  return line(`q quit · s sort · / search · g group · w window · p ${paused ? 'continue' : 'pause'} · ? help`, 'dim')
}

module.exports = { screen, snapshot, tableRows }
