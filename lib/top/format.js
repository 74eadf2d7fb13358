'use strict'

/*
 * Formats numbers and sentences as the live page does; a test compares the two. Pure.
 */

const { printable } = require('./text')

const LOCALE = 'en'
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const tenth = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 })
const precise = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The text of an unknown value. */
const UNKNOWN = '–'
/** The latest time of a `Date`. */
const MAX_TIME_SECONDS = 8.64e12
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB']
/** @type {[string, number][]} */
const TIMES = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]

/** @typedef {number | null | undefined} Figure */

/**
 * @param {Figure} value
 * @returns {value is number}
 */
function isNumber (value) {
  return typeof value === 'number' && Number.isFinite(value)
}

/** @param {Figure} value */
function count (value) {
  return isNumber(value) ? whole.format(value) : UNKNOWN
}

/**
 * Formats calls per second with few digits, because the value changes each second.
 *
 * @param {Figure} value
 */
function rate (value) {
  if (!isNumber(value)) return UNKNOWN
  if (value === 0 || value >= 100) return whole.format(value)
  return value >= 1 ? tenth.format(value) : precise.format(value)
}

/** @param {Figure} value 1 is 100 % */
function percent (value) {
  if (!isNumber(value)) return UNKNOWN
  const percents = value * 100
  if (percents > 0 && percents < 0.1) return '< 0.1 %'
  return `${percents >= 10 || percents === 0 ? whole.format(percents) : tenth.format(percents)} %`
}

/** @param {Figure} value */
function bytes (value) {
  if (!isNumber(value)) return UNKNOWN
  let unit = 0
  while (value >= 1000 && unit < BYTES.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 100 ? whole.format(value) : tenth.format(value)} ${BYTES[unit]}`
}

/**
 * Formats a short time, such as the lag of an event loop.
 *
 * @param {Figure} seconds
 */
function delay (seconds) {
  if (!isNumber(seconds)) return UNKNOWN
  if (seconds >= 1) return `${tenth.format(seconds)} s`
  const ms = seconds * 1000
  return `${ms >= 10 ? whole.format(ms) : ms >= 0.1 || ms === 0 ? tenth.format(ms) : '< 0.1'} ms`
}

/**
 * Formats a long time in its two largest units.
 *
 * @param {Figure} seconds
 */
function duration (seconds) {
  if (!isNumber(seconds)) return UNKNOWN
  let rest = Math.floor(seconds)
  const texts = []
  for (const [name, size] of TIMES) {
    const number = Math.floor(rest / size)
    rest -= number * size
    if (number > 0 || (name === 's' && texts.length === 0)) texts.push(`${number} ${name}`)
  }
  return texts.slice(0, 2).join(' ')
}

/**
 * Formats the time of day in the time zone of this machine.
 *
 * @param {Figure} seconds since 1970
 */
function clockTime (seconds) {
  return isNumber(seconds) && Math.abs(seconds) <= MAX_TIME_SECONDS ? clock.format(seconds * 1000) : UNKNOWN
}

/** @param {string} path */
function shortPath (path) {
  const segments = path.split(/[\\/]/)
  return segments.length > 4 ? '…/' + segments.slice(-3).join('/') : path
}

/**
 * Returns a name for a row: class and function as `Class.function`, then the values of its other labels.
 *
 * @param {Record<string, string>} labels
 */
function titleOf (labels) {
  if ('hypertrace_overflow' in labels) return 'Overflow'
  const { object_classname: object, caller_functionname: fn, ...others } = labels
  const rest = Object.entries(others).filter(([, value]) => value !== '')
    .map(([label, value]) => printable(label === 'caller_filename' ? shortPath(value) : value, 160))
  const first = [object, fn].filter((value) => value !== undefined && value !== '').map((value) => printable(value, 60)).join('.')
  return [first, ...rest].filter((text) => text !== '').join(' · ') || 'none'
}

/** @param {Stall} stall */
function calledIn ({ rows, calls }) {
  const [first] = rows
  if (first === undefined || first.calls === 0) return calls > 0 ? `${count(calls)} calls` : ''
  return `${titleOf(first.labels)} was called ${first.calls === 1 ? 'once' : `${count(first.calls)} times`}`
}

/**
 * Returns what happened in a stall: "Blocked for 3.1 s at 10:21:07: Worker.crunch was called 70,000 times".
 *
 * @param {Stall} stall
 */
function stallSentence (stall) {
  const { startTimeSeconds, seconds, worker, ongoing } = stall
  const thread = worker === undefined ? 'Blocked' : `Worker thread ${worker} blocked`
  const when = ongoing === true ? `since ${clockTime(startTimeSeconds)}` : `at ${clockTime(startTimeSeconds)}`
  return `${thread} for ${delay(seconds)} ${when}: ${calledIn(stall) || 'no call was traced'}`
}

/**
 * A stall in `/history.json`.
 *
 * @typedef {object} Stall
 * @property {number} startTimeSeconds
 * @property {number} seconds
 * @property {number} calls
 * @property {number} [worker]
 * @property {number | string} [process] with `cluster`
 * @property {boolean} [ongoing]
 * @property {{ labels: Record<string, string>, calls: number }[]} rows
 */

module.exports = { UNKNOWN, bytes, clockTime, count, delay, duration, isNumber, percent, rate, stallSentence, titleOf }
