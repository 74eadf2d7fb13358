// The requests that a state of the page needs. Pure.

import { isRecorded, orderOf, processFilters, queryOf } from './view.mjs'

/** The default grouping of /history.json. */
export const FUNCTIONS = ['object_classname', 'caller_functionname']

const EDGES = ['parent_object_classname', 'object_classname']
const INSTANCES = ['parent_object_classname', 'parent_object_id', 'object_classname', 'object_id']

/** The recorder has at most this many seconds. */
export const MAX_SECONDS = 900

const MAX_VALUES = 30_000 // in one answer, which has a value for each second of each row
const TREND_ROWS = 100
/** The server returns at most this many rows. */
export const MAX_ROWS = 1000
const MAX_INSTANCES = 200

/** Returns whether the map shows objects. It does while one class and no span is chosen: the recorder has no objects. */
export function showsObjects ({ map, filters, span }, labels) {
  return map && span === null && labels.includes('object_id') && filters.some(([label]) => label === 'object_classname')
}

/** Returns whether the recording that the charts show has only the calls that match filters or a search. */
export function isMatching ({ filters, search }, by) {
  return isRecorded(by, filters) && (filters.length > processFilters({ filters }).length || search !== '')
}

/** Returns a key of all values on which the answers about the chosen spans depend; `null` without a span. */
export function spanKey ({ span, base, filters, search, map }, by) {
  return span === null ? null : JSON.stringify([span, base, filters, search, map, by])
}

/**
 * Returns the requests by name: the path and the query.
 *
 * @param {import('./view.mjs').State} state
 * @param {string[]} by the labels of the present view
 * @param {string[]} labels the labels that at least one series has
 * @param {number} limit the number of rows of the table
 * @param {number} now the server's time
 * @param {number} mean the number of seconds over which rates are computed
 * @returns {Record<string, [string, string]>}
 */
export function requestsOf (state, by, labels, limit, now, mean) {
  const { filters, search, seconds, span, base, map } = state
  const only = (names) => names.filter((label) => labels.includes(label))
  const recorded = isRecorded(by, filters)
  const groups = recorded ? by : only(FUNCTIONS)
  const ofProcess = processFilters(state)
  const recordedFilters = recorded ? filters : ofProcess
  const text = recorded ? search : ''
  const history = (parameters, more) => ['history.json', queryOf(parameters, more)]
  /** @type {Record<string, [string, string]>} */
  const requests = {
    summary: ['summary.json', queryOf({ by, limit, search, order: orderOf(state), window: mean }, filters)],
    history: history({ seconds, by: groups, limit: Math.min(TREND_ROWS, Math.floor(MAX_VALUES / seconds)), search: text }, recordedFilters)
  }
  const isOverview = groups.join() === FUNCTIONS.join() && recordedFilters.length === ofProcess.length && text === ''
  if (!isOverview) requests.overview = history({ seconds, limit: 1 }, ofProcess)
  if (span !== null) {
    const from = Math.min(span.from, base?.from ?? Infinity)
    const age = Math.min(MAX_SECONDS, Math.max(1, Math.ceil(now - from) + 2))
    requests.span = history({ seconds: age, by: groups, limit: MAX_ROWS, search: text }, recordedFilters)
    if (map) requests.map = history({ seconds: age, by: only(EDGES), limit: MAX_ROWS }, recordedFilters)
  } else if (showsObjects(state, labels) || (map && !isRecorded([], filters))) {
    const edges = only(showsObjects(state, labels) ? INSTANCES : EDGES)
    requests.objects = ['summary.json', queryOf({ by: edges, limit: MAX_INSTANCES }, filters)]
  } else if (map) {
    requests.map = history({ seconds, by: only(EDGES), limit: MAX_ROWS }, filters)
  }
  return requests
}

/** Returns the requests of the advice. */
export function adviceRequests (labels) {
  const only = (names) => names.filter((label) => labels.includes(label))
  const summary = (by) => ['summary.json', queryOf({ by: only(by), limit: MAX_ROWS })]
  const requests = { ids: summary(['object_classname', 'caller_functionname', 'id']) }
  if (labels.includes('object_id')) requests.objects = summary(['object_classname', 'object_id'])
  return requests
}
