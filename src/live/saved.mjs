// Answers the requests of a saved page from the documents in its file, as the server does. Pure.

import { keyOf } from './recording.mjs'
import { RECORDED } from './view.mjs'

/** The maximum number of rows of a saved recording. */
export const SAVED_ROWS = 300

/** @typedef {{ savedTimeSeconds: number, host: string, summary: any, history: import('./recording.mjs').History }} Saved */

const RESERVED = ['by', 'limit', 'search', 'order', 'window', 'seconds']

/**
 * Returns the answer to a request.
 *
 * @param {Saved} saved
 * @param {string} path
 * @param {string} query
 */
export function answer (saved, path, query) {
  const parameters = new URLSearchParams(query)
  const selection = {
    by: (parameters.get('by') ?? 'object_classname,caller_functionname').split(',').filter((label) => RECORDED.includes(label)),
    search: (parameters.get('search') ?? '').toLowerCase(),
    limit: Number(parameters.get('limit') ?? 50),
    filters: [...parameters].filter(([name]) => !RESERVED.includes(name))
  }
  return path === 'history.json'
    ? historyOf(saved.history, selection, Number(parameters.get('seconds')))
    : summaryOf(saved, selection, parameters.get('order'))
}

function matches (labels, filters) {
  return filters.every(([label, value]) => (labels[label] ?? '') === value)
}

/** Sums rows by labels; `add` adds a row to the sum of its group. */
function grouped (rows, { by, search, filters }, start, add) {
  const groups = new Map()
  for (const row of rows) {
    if (!matches(row.labels, filters)) continue
    const labels = 'hypertrace_overflow' in row.labels
      ? row.labels
      : Object.fromEntries(by.filter((label) => row.labels[label] !== undefined).map((label) => [label, row.labels[label]]))
    if (search !== '' && !Object.values(labels).some((value) => value.toLowerCase().includes(search))) continue
    const key = keyOf(labels)
    const group = groups.get(key) ?? { labels, ...start() }
    add(group, row)
    groups.set(key, group)
  }
  return [...groups.values()]
}

function historyOf (history, selection, seconds) {
  const length = history.points.calls.length
  const steps = Math.min(length, Math.max(1, Math.round(seconds / history.stepSeconds) || length))
  const cut = (values) => values.slice(length - steps)
  const points = Object.fromEntries(Object.entries(history.points).map(([name, values]) => [name, cut(values)]))
  const groups = grouped(history.rows, selection, () => ({ calls: Array(steps).fill(null), total: 0 }), (group, { calls }) => {
    cut(calls).forEach((value, i) => {
      if (value === null) return
      group.calls[i] = (group.calls[i] ?? 0) + value
      group.total += value
    })
  })
  groups.sort((a, b) => b.total - a.total)
  const rows = groups.slice(0, selection.limit).map(({ labels, calls }) => ({ labels, calls }))
  const other = points.calls.map((total, i) => total === null ? null : rows.reduce((rest, { calls }) => rest - (calls[i] ?? 0), total))
  const first = history.endTimeSeconds - steps * history.stepSeconds
  return {
    ...history,
    by: selection.by,
    points,
    rows,
    other: { calls: other },
    stalls: history.stalls.filter((stall) => stall.startTimeSeconds + stall.seconds > first).map((stall) => stallOf(stall, selection.by))
  }
}

function stallOf (stall, by) {
  const rows = grouped(stall.rows, { by, search: '', filters: [] }, () => ({ calls: 0 }), (group, { calls }) => { group.calls += calls })
  return { ...stall, rows: rows.sort((a, b) => b.calls - a.calls) }
}

function summaryOf ({ summary, history }, selection, order) {
  const groups = grouped(summary.rows, selection, () => ({ value: 0, rate: 0 }), (group, { value, rate }) => {
    group.value += value
    group.rate += rate ?? 0
  })
  groups.sort((a, b) => order === 'rate' ? b.rate - a.rate || b.value - a.value : b.value - a.value)
  const rest = groups.slice(selection.limit)
  const matched = selection.filters.length === 0 ? summary.calls.matched : groups.reduce((all, { value }) => all + value, 0)
  return {
    ...summary,
    by: selection.by,
    usedLabels: summary.usedLabels.filter((label) => RECORDED.includes(label)),
    calls: { ...summary.calls, matched },
    rows: groups.slice(0, selection.limit),
    other: { groups: rest.length, value: rest.reduce((all, { value }) => all + value, 0) },
    stepSeconds: history.stepSeconds
  }
}
