// Keeps the values of the last minutes and computes rates from summaries. Pure: the caller passes the time.
//
// Times (`t`) are seconds of the page's clock and are used for drawing. Rates use the server's clock, so
// that a slow network causes no peaks. A point without a value (`v: null`) is a gap.

/** The longest time that the charts show, in seconds. */
export const WINDOW = 300

/** Rates are means over this many seconds: the text, the chart and the rows show the same mean. */
export const MEAN_SECONDS = 5

// Two summaries within this time add one point: a rate over less has errors of many percent, because the
// application works in bursts.
const MIN_SPAN = 0.5

// Summaries are a second apart: the samples of a mean may be a little older than its window.
const TOLERANCE = 0.25

/**
 * @typedef {{ t: number, v: number | null, span?: number }} Point `span`: the seconds that a mean covers
 * @typedef {{ rate: Rate, points: Point[], seen: number }} Row `seen`: the uptime of the last summary that has the row
 */

/** The mean rate of a counter over the last seconds. */
export class Rate {
  #samples = []

  /**
   * Adds a sample and returns the mean, `null` while it would cover too short a time.
   *
   * @param {number} uptime by the server's clock
   * @param {number | null} value
   * @returns {{ v: number, span: number } | null}
   */
  add (uptime, value) {
    if (value === null || value < this.#samples.at(-1)?.value) this.clear()
    if (value === null) return null
    this.#samples.push({ uptime, value })
    while (this.#samples.length > 2 && this.#samples[1].uptime <= uptime - MEAN_SECONDS + TOLERANCE) this.#samples.shift()
    const [first] = this.#samples
    const span = uptime - first.uptime
    return span < MIN_SPAN ? null : { v: (value - first.value) / span, span }
  }

  /** Removes the samples: the next mean does not cover the time before. */
  clear () {
    this.#samples = []
  }
}

export class History {
  /** @type {Record<'calls' | 'lag' | 'cpu' | 'heap' | 'rss', Point[]>} */
  points = { calls: [], lag: [], cpu: [], heap: [], rss: [] }

  /** Times at which counts restarted at 0, by the page's clock. */
  restarts = []

  /** @type {Map<string, Row>} */
  rows = new Map()

  /** The time of the first rate of the present rows, `null` without one. */
  rowsSince = null

  #rates = { calls: new Rate(), cpu: new Rate() }
  #last = null
  #view = null
  /** The uptime of the last summary that added points. */
  #added = null
  /** The uptime of the last summary if it has all rows: a row that is new after it has counted from 0. */
  #complete = null

  /**
   * Adds a summary. Returns true if counts restarted at 0 since the last one: the process was restarted
   * or the counter was reset.
   *
   * @param {any} summary
   * @param {string} view the query: rows of different queries are not compared
   * @param {number} t
   * @param {boolean} [isComplete] false if the query excludes rows
   */
  add (summary, view, t, isComplete = summary.other.groups === 0) {
    const last = this.#last
    const restarted = last !== null && isOtherProcess(last, summary)
    // The total never falls. The sum of one view falls when series expire, or at a reset.
    const fell = last !== null && view === this.#view && summary.calls.matched < last.calls.matched
    const fromZero = restarted || (fell && summary.series.expired === last.series.expired)
    if (fromZero) this.restarts.push(t)
    if (restarted) this.gap(t)
    if (fromZero || view !== this.#view) {
      this.rows.clear()
      this.rowsSince = this.#complete = null
    }

    const uptime = summary.uptimeSeconds
    const isDue = this.#added === null || uptime - this.#added >= MIN_SPAN
    if (isDue) this.#addPoints(summary, t)
    if (isDue || this.rows.size === 0) this.#addRows(summary, t, isComplete)
    if (isDue) this.#added = uptime
    this.#last = summary
    this.#view = view
    this.restarts = this.restarts.filter((at) => at > t - WINDOW)
    return fromZero
  }

  #addPoints ({ uptimeSeconds, calls, eventLoop, process }, t) {
    const { points } = this
    push(points.calls, t, this.#rates.calls.add(uptimeSeconds, calls.total))
    push(points.cpu, t, this.#rates.cpu.add(uptimeSeconds, process.cpuSeconds))
    push(points.lag, t, { v: eventLoop.lagSeconds })
    push(points.heap, t, { v: process.heapUsedBytes })
    push(points.rss, t, { v: process.residentMemoryBytes })
  }

  #addRows ({ uptimeSeconds: uptime, rows }, t, isComplete) {
    for (const { labels, value } of rows) {
      const key = keyOf(labels)
      let row = this.rows.get(key)
      if (row === undefined) {
        row = { rate: new Rate(), points: [], seen: uptime }
        if (this.#complete !== null) row.rate.add(this.#complete, 0)
        this.rows.set(key, row)
      }
      const mean = row.rate.add(uptime, value)
      if (mean !== null) {
        this.rowsSince ??= t
        push(row.points, t, mean)
      }
      row.seen = uptime
    }
    for (const [key, { seen }] of this.rows) {
      if (isComplete ? seen < uptime : seen < uptime - WINDOW) this.rows.delete(key)
    }
    this.#complete = isComplete ? uptime : null
  }

  /** Adds a gap from this time to the next summary: no rate covers it. */
  gap (t) {
    for (const points of Object.values(this.points)) pushGap(points, t)
    for (const rate of Object.values(this.#rates)) rate.clear()
    for (const row of this.rows.values()) {
      pushGap(row.points, t)
      row.rate.clear()
    }
    this.#complete = this.#added = null
  }
}

/** Returns the key of a row's labels. */
export function keyOf (labels) {
  return JSON.stringify(Object.entries(labels))
}

/** Returns the last value, `null` without one. */
export function lastOf (points) {
  return points?.at(-1)?.v ?? null
}

function isOtherProcess (last, summary) {
  return summary.startTimeSeconds !== last.startTimeSeconds || summary.uptimeSeconds < last.uptimeSeconds
}

function pushGap (points, t) {
  if (lastOf(points) !== null) points.push({ t, v: null })
}

function push (points, t, value) {
  if (value === null || value.v === null) return pushGap(points, t)
  points.push({ t, ...value })
  let old = 0
  while (old < points.length - 2 && points[old + 1].t < t - WINDOW) old++
  if (old > 0) points.splice(0, old)
}
