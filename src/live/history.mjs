// Keeps the values of the last minutes and computes rates from summaries. Pure: the caller passes the time.
//
// Times (`t`) are seconds of the page's clock and are used for drawing. Rates use the server's clock, so
// that a slow network causes no peaks. A point without a value (`v: null`) is a gap.

/** The longest time that the charts show, in seconds. */
export const WINDOW = 300

// Nobody can read a number that changes each second: rates in text are means over this many seconds.
const MEAN_SECONDS = 5

/**
 * @typedef {{ t: number, v: number | null, span?: number }} Point
 * @typedef {{ value: number, uptime: number, points: Point[] }} Row
 */

export class History {
  /** @type {Record<'calls' | 'lag' | 'cpu' | 'heap' | 'rss', Point[]>} */
  points = { calls: [], lag: [], cpu: [], heap: [], rss: [] }

  /** Times at which counts restarted at 0, by the page's clock. */
  restarts = []

  /** @type {Map<string, Row>} */
  rows = new Map()

  /** The last summary. */
  last = null

  /** The view that `rows` belongs to. */
  view = null

  /**
   * Adds a summary. Returns true if counts restarted at 0 since the last one: the process was restarted
   * or the counter was reset.
   *
   * @param {any} summary
   * @param {string} view the query: rows of different queries are not compared
   * @param {number} t
   */
  add (summary, view, t) {
    const { last } = this
    const restarted = last !== null && isOtherProcess(last, summary)
    const fell = last !== null && summary.calls.total < last.calls.total
    const reset = fell && !restarted && summary.series.expired === last.series.expired
    const span = last === null || restarted ? null : summary.uptimeSeconds - last.uptimeSeconds
    if (span === 0) return false // two requests within one tick of the server's clock
    if (restarted || reset) this.restarts.push(t)
    if (restarted) for (const points of Object.values(this.points)) points.push({ t, v: null })

    const rateOf = (now, before) => span === null || now === null || before === null ? null : (now - before) / span
    const { points } = this
    const { eventLoop, process } = summary
    // Series that expire are no longer in the total, so the number of calls since then is unknown.
    push(points.calls, t, fell ? null : rateOf(summary.calls.total, last?.calls.total ?? null), span)
    push(points.cpu, t, rateOf(process.cpuSeconds, last?.process.cpuSeconds ?? null), span)
    push(points.lag, t, eventLoop.lagSeconds)
    push(points.heap, t, process.heapUsedBytes)
    push(points.rss, t, process.residentMemoryBytes)

    const fromZero = restarted || reset
    if (fromZero || view !== this.view) this.rows.clear()
    this.#addRows(summary, t, view === this.view && !fromZero ? last : null)
    this.last = summary
    this.view = view
    this.restarts = this.restarts.filter((at) => at > t - WINDOW)
    return fromZero
  }

  #addRows (summary, t, last) {
    const uptime = summary.uptimeSeconds
    for (const { labels, value } of summary.rows) {
      const key = keyOf(labels)
      let row = this.rows.get(key)
      if (row === undefined) {
        // A row that the last complete summary does not have has counted from 0.
        const isNew = last !== null && last.other.groups === 0
        row = { value: isNew ? 0 : value, uptime: isNew ? last.uptimeSeconds : uptime, points: [] }
        this.rows.set(key, row)
      }
      const span = uptime - row.uptime
      if (span > 0 && value >= row.value) push(row.points, t, (value - row.value) / span, span)
      row.value = value
      row.uptime = uptime
    }
    for (const [key, row] of this.rows) {
      const isGone = summary.other.groups === 0 ? row.uptime < uptime : row.uptime < uptime - WINDOW
      if (isGone) this.rows.delete(key)
    }
  }

  /** Adds a gap from this time to the next summary. */
  gap (t) {
    for (const points of Object.values(this.points)) {
      if (points.length > 0 && points[points.length - 1].v !== null) points.push({ t, v: null })
    }
  }
}

/** Returns the key of a row's labels. */
export function keyOf (labels) {
  return JSON.stringify(Object.entries(labels))
}

/** Returns the mean rate over the last seconds, `null` without one. */
export function meanRate (points, now) {
  let sum = 0
  let spans = 0
  for (let i = points.length - 1; i >= 0 && points[i].t > now - MEAN_SECONDS - 0.5; i--) {
    const { v, span } = points[i]
    if (v === null || !span) break
    sum += v * span
    spans += span
  }
  return spans === 0 ? null : sum / spans
}

function isOtherProcess (last, summary) {
  return summary.startTimeSeconds !== last.startTimeSeconds || summary.uptimeSeconds < last.uptimeSeconds
}

function push (points, t, v, span) {
  if (v === null && points.length === 0) return
  points.push(span ? { t, v, span } : { t, v })
  let old = 0
  while (old < points.length - 2 && points[old + 1].t < t - WINDOW) old++
  if (old > 0) points.splice(0, old)
}
