// Rates of rows that the recorder does not have, such as objects, computed from the differences between summaries. Pure.

import { keyOf } from './recording.mjs'

// Summaries are about a second apart, so the first sample of a mean may be a little older than its window.
const TOLERANCE = 0.25
const MIN_SECONDS = 0.5
const MAX_POINTS = 300

export class Rates {
  #query = ''
  #samples = []
  #trends = new Map()

  /**
   * Adds the rows of a summary. They are not compared with rows of another query, or with rows before a restart.
   *
   * @param {string} query
   * @param {number} uptime by the server's clock
   * @param {{ labels: Record<string, string>, value: number }[]} rows
   * @param {number} meanSeconds
   */
  add (query, uptime, rows, meanSeconds) {
    if (query !== this.#query || uptime < this.#samples.at(-1)?.uptime) this.#start(query)
    const last = this.#samples.at(-1)
    if (last !== undefined && uptime - last.uptime < MIN_SECONDS) return
    this.#samples.push({ uptime, values: new Map(rows.map(({ labels, value }) => [keyOf(labels), value])) })
    while (this.#samples.length > 2 && this.#samples[1].uptime <= uptime - meanSeconds + TOLERANCE) this.#samples.shift()
    for (const key of this.#samples.at(-1).values.keys()) {
      const trend = this.#trends.get(key) ?? []
      trend.push(this.of(key))
      if (trend.length > MAX_POINTS) trend.shift()
      this.#trends.set(key, trend)
    }
    for (const key of this.#trends.keys()) if (!this.#samples.at(-1).values.has(key)) this.#trends.delete(key)
  }

  #start (query) {
    this.#query = query
    this.#samples = []
    this.#trends.clear()
  }

  /** Returns the calls per second of a row; `null` with one sample only, or after a reset. */
  of (key) {
    const last = this.#samples.at(-1)
    const first = this.#samples.find(({ values }) => values.has(key))
    if (last === undefined || first === undefined || first === last) return null
    const change = last.values.get(key) - first.values.get(key)
    return change < 0 ? null : change / (last.uptime - first.uptime)
  }

  /** Returns the rates of a row since it appeared. */
  trendOf (key) {
    return this.#trends.get(key) ?? []
  }
}
