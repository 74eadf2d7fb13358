// Formats numbers and names for reading. Pure.

const LOCALE = 'en'
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const tenth = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 })
const precise = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 })

/** The text of an unknown value. */
export const UNKNOWN = '–'

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value)

export function count (value) {
  return isNumber(value) ? whole.format(value) : UNKNOWN
}

/** Calls per second, with few digits: the value changes each second. */
export function rate (value) {
  if (!isNumber(value)) return UNKNOWN
  if (value === 0 || value >= 100) return whole.format(value)
  return value >= 1 ? tenth.format(value) : precise.format(value)
}

/** Formats calls per second for the scale of a chart. These are round numbers, so the text has few characters. */
export function axisRate (value) {
  if (value >= 1e6) return `${precise.format(value / 1e6)}M/s`
  return value >= 1e4 ? `${whole.format(value / 1e3)}k/s` : `${rate(value)}/s`
}

export function percent (value) {
  if (!isNumber(value)) return UNKNOWN
  const percents = value * 100
  if (percents > 0 && percents < 0.1) return '< 0.1 %'
  return `${percents >= 10 || percents === 0 ? whole.format(percents) : tenth.format(percents)} %`
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB']

export function bytes (value) {
  if (!isNumber(value)) return UNKNOWN
  let unit = 0
  while (value >= 1000 && unit < BYTES.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 100 ? whole.format(value) : tenth.format(value)} ${BYTES[unit]}`
}

/** A short time, such as the lag of an event loop. */
export function delay (seconds) {
  if (!isNumber(seconds)) return UNKNOWN
  if (seconds >= 1) return `${tenth.format(seconds)} s`
  const ms = seconds * 1000
  return `${ms >= 10 ? whole.format(ms) : ms >= 0.1 || ms === 0 ? tenth.format(ms) : '< 0.1'} ms`
}

/** A long time, such as the uptime of a process. */
export function duration (seconds) {
  if (!isNumber(seconds)) return UNKNOWN
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]
  let rest = Math.floor(seconds)
  const texts = []
  for (const [name, size] of units) {
    const number = Math.floor(rest / size)
    rest -= number * size
    if (number > 0 || (name === 's' && texts.length === 0)) texts.push(`${number} ${name}`)
  }
  return texts.slice(0, 2).join(' ')
}

const LABELS = {
  object_classname: 'Class',
  caller_functionname: 'Function',
  caller_filename: 'File',
  id: 'Id',
  parent_object_classname: 'Parent class',
  object_id: 'Object',
  parent_object_id: 'Parent',
  process: 'Process',
  hypertrace_overflow: 'Overflow'
}

const PROPS = [['object_props_', 'object'], ['parent_object_props_', 'parent'], ['caller_props_', 'call']]

/** The heading of a label's column. */
export function heading (label) {
  if (Object.hasOwn(LABELS, label)) return LABELS[label]
  for (const [prefix, owner] of PROPS) {
    if (label.startsWith(prefix)) return `${label.slice(prefix.length)} (${owner})`
  }
  return label
}

const MAX_LENGTH = 160

// Control characters, and characters that reorder or hide the text around them.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu
const ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Returns a name of any content on one line, with invisible characters escaped as in JavaScript. */
export function printable (text, maxLength = MAX_LENGTH) {
  const shown = text.length > maxLength ? text.slice(0, maxLength - 1).toWellFormed() : text
  const plain = shown.replace(INVISIBLE, (char) => ESCAPES[char] ?? `\\u{${char.codePointAt(0).toString(16)}}`)
  return shown === text ? plain : plain + '…'
}

/** Returns the last segments of a path. There, the paths of two files usually differ. */
export function shortPath (path) {
  const segments = path.split(/[\\/]/)
  return segments.length > 4 ? '…/' + segments.slice(-3).join('/') : path
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of day, in the browser's time zone. */
export function clockTime (seconds) {
  return isNumber(seconds) ? clock.format(seconds * 1000) : UNKNOWN
}
