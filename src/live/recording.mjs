// Reads the documents of /history.json: times, rates, and sums over a span. Pure.
//
// A document has one value for each step, the oldest first; `null` is a step that was not measured. Times are
// seconds since the epoch, by the server's clock.

/**
 * @typedef {(number | null)[]} Values
 * @typedef {{ labels: Record<string, string>, calls: Values }} Row
 * @typedef {{ startTimeSeconds: number, seconds: number, calls: number, worker?: number, ongoing?: boolean,
 *   rows: { labels: Record<string, string>, calls: number }[] }} Stall
 * @typedef {object} History the document of /history.json
 * @property {number} stepSeconds
 * @property {number} endTimeSeconds
 * @property {string[]} by
 * @property {Record<'calls' | 'lagSeconds' | 'cpuSeconds' | 'heapUsedBytes' | 'residentMemoryBytes' | 'series', Values>} points
 * @property {Row[]} rows
 * @property {{ calls: Values }} other
 * @property {Stall[]} stalls
 * @typedef {import('./view.mjs').Span} Span
 */

const MIN_SECONDS = 10

/** Without a recorder, rates are the mean of this many seconds. */
const DEFAULT_MEAN = 5

/**
 * Returns the time at which the charts begin. They show at most this many seconds, and fewer if the process has just
 * started.
 *
 * @param {History} history
 * @param {number} seconds
 */
export function startOf ({ points, stepSeconds, endTimeSeconds: end }, seconds) {
  const measured = (points.calls.length - firstMeasured(points.calls)) * stepSeconds
  return end - Math.min(seconds, Math.max(MIN_SECONDS, measured))
}

/**
 * Returns the number of seconds over which rates are computed: one for each minute that the charts show. The figure, the
 * charts and the rows use the same number.
 */
export function meanFor (history, seconds) {
  return history === null ? DEFAULT_MEAN : Math.max(1, Math.round((history.endTimeSeconds - startOf(history, seconds)) / 60))
}

/** Returns the key of a row's labels. */
export function keyOf (labels) {
  return JSON.stringify(Object.entries(labels))
}

/** Returns the time at which each step ends. */
export function timesOf ({ points, stepSeconds, endTimeSeconds }) {
  const steps = points.calls.length
  return Array.from({ length: steps }, (_, i) => endTimeSeconds - (steps - 1 - i) * stepSeconds)
}

/**
 * Returns the means per second of values per step. A mean does not cover a step that was not measured.
 *
 * @param {Values} values
 * @param {number} stepSeconds
 * @param {number} meanSeconds
 * @returns {Values}
 */
export function ratesOf (values, stepSeconds, meanSeconds) {
  const steps = Math.max(1, Math.round(meanSeconds / stepSeconds))
  let measured = 0
  return values.map((value, i) => {
    measured = value === null ? 0 : Math.min(steps, measured + 1)
    if (measured === 0) return null
    let sum = 0
    for (let j = i - measured + 1; j <= i; j++) sum += values[j]
    return sum / (measured * stepSeconds)
  })
}

/** Returns the last value that was measured, `null` without one. */
export function lastOf (values) {
  return values.findLast((value) => value !== null) ?? null
}

/** Returns the number of seconds that the last mean of `values` covers. */
export function coveredBy (values, stepSeconds, meanSeconds) {
  const end = values.findLastIndex((value) => value !== null)
  const steps = Math.max(1, Math.round(meanSeconds / stepSeconds))
  let measured = 0
  while (measured < steps && values[end - measured] != null) measured++
  return measured * stepSeconds
}

/** Returns the index of the first step that was measured, or the number of steps if none was measured. */
export function firstMeasured (values) {
  const first = values.findIndex((value) => value !== null)
  return first === -1 ? values.length : first
}

/** Returns the indexes of the first step of a span and of the step after its last one. */
export function stepsOf (history, { from, to }) {
  const { stepSeconds, endTimeSeconds, points: { calls: { length } } } = history
  const start = endTimeSeconds - length * stepSeconds
  const index = (t) => Math.min(length, Math.max(0, Math.round((t - start) / stepSeconds)))
  const first = index(from)
  return [first, Math.max(index(to), Math.min(length, first + 1))]
}

/** Returns a span with its bounds moved to the ends of steps. It has at least one step. */
export function snapped (history, span) {
  const { stepSeconds, endTimeSeconds, points: { calls: { length } } } = history
  const [first, end] = stepsOf(history, span)
  const at = (index) => endTimeSeconds - (length - index) * stepSeconds
  return end > first ? { from: at(first), to: at(end) } : { from: at(first - 1), to: at(first) }
}

function sum (values, [first, end]) {
  let total = 0
  for (let i = first; i < end; i++) total += values[i] ?? 0
  return total
}

/**
 * Returns the calls in a span: those of each row, the largest first; those of the other groups; and the total.
 *
 * @param {History} history
 * @param {Span} span
 */
export function sumsOver (history, span) {
  const steps = stepsOf(history, span)
  const { calls } = history.points
  let measured = 0
  for (let i = steps[0]; i < steps[1]; i++) if (calls[i] !== null) measured++
  const rows = history.rows
    .map(({ labels, calls }) => ({ labels, value: sum(calls, steps) }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value)
  const seconds = measured * history.stepSeconds
  return { seconds, total: sum(calls, steps), rows, other: sum(history.other.calls, steps) }
}

/** Returns a recording in which only the calls of its rows are counted. @param {History} history @returns {History} */
export function matching (history) {
  const { points, rows } = history
  const calls = points.calls.map((value, i) => value === null ? null : rows.reduce((sum, row) => sum + (row.calls[i] ?? 0), 0))
  return { ...history, points: { ...points, calls }, other: { calls: calls.map((value) => value === null ? null : 0) } }
}

/** Returns whether a recording ends later than the chosen spans. */
export function hasAll ({ endTimeSeconds, stepSeconds }, { span, base }) {
  return endTimeSeconds > Math.max(span.to, base?.to ?? 0) + stepSeconds
}

/** Returns the stalls that overlap a span. */
export function stallsIn (stalls, { from, to }) {
  return stalls.filter(({ startTimeSeconds: start, seconds }) => start < to && start + seconds > from)
}

/**
 * Fills the steps before the start of a process from the recording of the process before it.
 *
 * @param {History} earlier the last document of that process
 * @param {History} later
 * @returns {History}
 */
export function joined (earlier, later) {
  const start = firstMeasured(later.points.calls)
  const times = timesOf(later)
  const steps = earlier.points.calls.length
  const offset = Math.round((later.endTimeSeconds - earlier.endTimeSeconds) / later.stepSeconds)
  if (earlier.stepSeconds !== later.stepSeconds || offset >= steps + start) return later
  const indexOf = (i) => i - times.length + steps + offset
  const fill = (mine, old) => mine.map((value, i) => i < start ? old?.[indexOf(i)] ?? null : value)
  const points = Object.fromEntries(Object.entries(later.points).map(([name, values]) => [name, fill(values, earlier.points[name])]))
  const before = new Map(earlier.rows.map(({ labels, calls }) => [keyOf(labels), calls]))
  const rows = later.rows.map(({ labels, calls }) => ({ labels, calls: fill(calls, before.get(keyOf(labels))) }))
  const other = points.calls.map((total, i) => i < start
    ? total === null ? null : rows.reduce((rest, { calls }) => rest - (calls[i] ?? 0), total)
    : later.other.calls[i])
  const first = times[0] - later.stepSeconds
  const stalls = [...earlier.stalls.filter((stall) => stall.startTimeSeconds + stall.seconds > first).map((stall) => ({ ...stall, ongoing: false })), ...later.stalls]
  return { ...later, points, rows, other: { calls: other }, stalls }
}
