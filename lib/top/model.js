'use strict'

/*
 * The state of `top`: the settings of the requests, the last answer, and the choices made by keys. Pure: each function returns
 * a new state.
 */

const { STALL_SECONDS } = require('./views')

const MAX_STALLS = 100

/**
 * @typedef {{ labels: Record<string, string>, value: number, rate?: number }} Row
 *
 * The response of `/summary.json`.
 *
 * @typedef {object} Summary
 * @property {string} version
 * @property {number} startTimeSeconds
 * @property {number} uptimeSeconds
 * @property {string[]} labels the labels that the server can group by
 * @property {Record<string, string>} defaultLabels
 * @property {{ used: number, limit: number }} series
 * @property {{ total: number, matched: number, rate: number | null }} calls
 * @property {number | null} windowSeconds
 * @property {string[]} by
 * @property {import('./views').Order} order
 * @property {Row[]} rows
 * @property {{ groups: number, value: number }} other
 * @property {{ answering: boolean, lagSeconds: number | null }} eventLoop
 * @property {Record<string, any>} process
 * @property {unknown[]} [processes] with `cluster`
 * @property {(number | string)[]} [absentProcesses] with `cluster`: the processes that did not respond
 *
 * The response of `/history.json`.
 *
 * @typedef {object} History
 * @property {number} stepSeconds
 * @property {number} endTimeSeconds
 * @property {Record<string, (number | null)[]>} points
 * @property {{ labels: Record<string, string>, calls: (number | null)[] }[]} rows
 * @property {import('./format').Stall[]} stalls
 *
 * @typedef {object} Answer
 * @property {Summary} summary
 * @property {History | null} trends the calls of the groups; `null` if the recorder does not have the labels
 * @property {History | null} course the figures of the process; `null` if nothing is recorded
 *
 * @typedef {object} State
 * @property {string} base
 * @property {boolean} insecure
 * @property {import('./views').Settings} settings
 * @property {Answer | null} answer
 * @property {import('./views').Settings} shown the settings of the answer
 * @property {import('./format').Stall[]} stalls the oldest first
 * @property {{ message: string, since: number } | null} failure since: seconds since 1970
 * @property {number} answeredAt seconds since 1970
 * @property {boolean} paused
 * @property {boolean} help true: the help is shown
 * @property {boolean} typing true: keys are text of the search
 * @property {number} offset the number of rows above the first one that is shown
 */

/**
 * @param {Pick<State, 'base' | 'insecure' | 'settings'>} options
 * @returns {State}
 */
function initialState ({ base, insecure, settings }) {
  return {
    base,
    insecure,
    settings,
    answer: null,
    shown: settings,
    stalls: [],
    failure: null,
    answeredAt: 0,
    paused: false,
    help: false,
    typing: false,
    offset: 0
  }
}

/**
 * @param {State} state
 * @param {Answer} answer
 * @param {number} now seconds since 1970
 * @returns {State}
 */
function answered (state, answer, now) {
  return {
    ...state,
    shown: state.settings,
    answer: { ...answer, summary: withRates(answer.summary, state.answer?.summary ?? null) },
    stalls: mergedStalls(state.stalls, answer.course),
    failure: null,
    answeredAt: now,
    offset: Math.max(0, Math.min(state.offset, answer.summary.rows.length + answer.summary.other.groups - 1))
  }
}

/**
 * @param {State} state
 * @param {string} message
 * @param {number} now seconds since 1970
 * @returns {State}
 */
function failed (state, message, now) {
  return { ...state, failure: { message, since: state.failure?.since ?? now } }
}

/**
 * Adds the rates that the recorder does not have, computed from the difference between two answers. The recorder has no rates
 * by object or property. With `history: 0` there is no recorder.
 *
 * @param {Summary} summary
 * @param {Summary | null} before
 * @returns {Summary}
 */
function withRates (summary, before) {
  const { calls, rows } = summary
  if (calls.rate !== null && rows.every((row) => row.rate !== undefined)) return summary
  if (before === null || before.startTimeSeconds !== summary.startTimeSeconds) return summary
  const seconds = summary.uptimeSeconds - before.uptimeSeconds
  if (seconds <= 0) return summary
  const sameGroups = before.by.join() === summary.by.join()
  const values = new Map(sameGroups ? before.rows.map(({ labels, value }) => [JSON.stringify(labels), value]) : [])
  return {
    ...summary,
    windowSeconds: seconds,
    calls: { ...calls, rate: (calls.total - before.calls.total) / seconds },
    rows: rows.map((row) => {
      const value = values.get(JSON.stringify(row.labels))
      return value === undefined || value > row.value ? row : { ...row, rate: (row.value - value) / seconds }
    })
  }
}

/**
 * Merges the stalls of the answers so far. If several answers contain a stall, the newest of these answers counts. Stalls that
 * ended more than 15 minutes ago are left out. A stall that the last answer does not contain as ongoing has ended, for example
 * by a restart of the process.
 *
 * @param {import('./format').Stall[]} stalls
 * @param {History | null} history
 */
function mergedStalls (stalls, history) {
  if (history === null) return stalls.map(ended)
  const key = (/** @type {import('./format').Stall} */ { startTimeSeconds, worker, process }) => `${startTimeSeconds} ${worker} ${process}`
  const all = new Map(stalls.map((stall) => [key(stall), ended(stall)]))
  for (const stall of history.stalls) all.set(key(stall), stall)
  return [...all.values()]
    .filter(({ startTimeSeconds, seconds }) => startTimeSeconds + seconds > history.endTimeSeconds - STALL_SECONDS)
    .sort((a, b) => a.startTimeSeconds - b.startTimeSeconds)
    .slice(-MAX_STALLS)
}

/**
 * @param {import('./format').Stall} stall
 * @returns {import('./format').Stall}
 */
function ended ({ ongoing, ...stall }) {
  return stall
}

module.exports = { answered, failed, initialState }
