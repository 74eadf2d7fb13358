// Figures and names as a person reads them. Pure.

const LOCALE = 'en'
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const tenth = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 })
const precise = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 })

/** What stands where a figure is not known. */
export const UNKNOWN = '–'

const known = (value) => typeof value === 'number' && Number.isFinite(value)

export function count (value) {
  return known(value) ? whole.format(value) : UNKNOWN
}

/** Calls per second; no more digits than one can read while they change. */
export function rate (value) {
  if (!known(value)) return UNKNOWN
  if (value === 0 || value >= 100) return whole.format(value)
  return value >= 1 ? tenth.format(value) : precise.format(value)
}

export function percent (value) {
  if (!known(value)) return UNKNOWN
  const parts = value * 100
  return `${parts >= 10 || parts === 0 ? whole.format(parts) : tenth.format(parts)} %`
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB']

export function bytes (value) {
  if (!known(value)) return UNKNOWN
  let unit = 0
  while (value >= 1000 && unit < BYTES.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 100 ? whole.format(value) : tenth.format(value)} ${BYTES[unit]}`
}

/** A short time, as an event loop's lag. */
export function delay (seconds) {
  if (!known(seconds)) return UNKNOWN
  if (seconds >= 1) return `${tenth.format(seconds)} s`
  const ms = seconds * 1000
  return `${ms >= 10 ? whole.format(ms) : ms >= 0.1 || ms === 0 ? tenth.format(ms) : '< 0.1'} ms`
}

/** A long time, as a process's age. */
export function duration (seconds) {
  if (!known(seconds)) return UNKNOWN
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]
  let rest = Math.floor(seconds)
  const parts = []
  for (const [name, size] of units) {
    const number = Math.floor(rest / size)
    rest -= number * size
    if (number > 0 || (name === 's' && parts.length === 0)) parts.push(`${number} ${name}`)
  }
  return parts.slice(0, 2).join(' ')
}

const LABELS = {
  object_classname: 'Class',
  caller_functionname: 'Function',
  caller_filename: 'File',
  id: 'Id',
  parent_object_classname: 'Parent class',
  object_id: 'Object',
  parent_object_id: 'Parent',
  hypertrace_overflow: 'Past the bound'
}

const PROPS = [['object_props_', 'object'], ['parent_object_props_', 'parent'], ['caller_props_', 'call']]

/** A label's name as a heading. */
export function heading (label) {
  if (Object.hasOwn(LABELS, label)) return LABELS[label]
  for (const [prefix, owner] of PROPS) {
    if (label.startsWith(prefix)) return `${label.slice(prefix.length)} (${owner})`
  }
  return label
}

const LONGEST = 160

// Control characters, and those that turn or hide the text around them.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

/** A name that may be anything, on one line and with nothing hidden in it. */
export function printable (text, longest = LONGEST) {
  const shown = text.length > longest ? text.slice(0, longest - 1).toWellFormed() : text
  const plain = shown.replace(INVISIBLE, (char) => `\\u{${char.codePointAt(0).toString(16)}}`)
  return shown === text ? plain : plain + '…'
}

/** A path's last parts: what tells files apart stands at the end. */
export function shortPath (path) {
  const parts = path.split(/[\\/]/)
  return parts.length > 4 ? '…/' + parts.slice(-3).join('/') : path
}
