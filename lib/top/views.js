'use strict'

/*
 * The groupings of the table, and the queries to the server. Pure.
 */

/**
 * @typedef {object} View
 * @property {string} name
 * @property {readonly string[]} by
 *
 * @typedef {'rate' | 'total'} Order
 *
 * The settings of a request. A change makes a new object, so that an answer to a request with earlier settings can be dropped.
 *
 * @typedef {object} Settings
 * @property {Order} order
 * @property {number} window the seconds of a rate
 * @property {string} search
 * @property {View} view
 */

/** @type {readonly View[]} */
const VIEWS = [
  { name: 'Functions', by: ['object_classname', 'caller_functionname'] },
  { name: 'Call sites', by: ['object_classname', 'caller_functionname', 'caller_filename', 'id'] },
  { name: 'Classes', by: ['object_classname'] },
  { name: 'Parent class → class', by: ['parent_object_classname', 'object_classname'] },
  { name: 'Objects', by: ['object_classname', 'object_id'] },
  { name: 'Processes', by: ['process'] }
]

const WINDOWS = [1, 5, 30, 60, 300, 900]

/** The labels that the recorder has. It has `process` only with `cluster`. */
const RECORDED = ['process', 'object_classname', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname']

/** The seconds of the trends. */
const TREND_SECONDS = 60
/** The seconds for which stalls are listed. */
const STALL_SECONDS = 900
const MAX_ROWS = 1000
/** The maximum number of rows of the trends: more than a screen has, because the trends have another order than the table. */
const TREND_ROWS = 200

/**
 * Returns the built-in view of these labels, or a new view if there is none.
 *
 * @param {string[]} by
 * @returns {View}
 */
function viewOf (by) {
  return VIEWS.find((view) => view.by.join() === by.join()) ?? { name: by.join(', '), by }
}

/**
 * Returns the built-in views of a server with these labels.
 *
 * @param {readonly string[]} labels
 */
function viewsWith (labels) {
  return VIEWS.filter(({ by }) => by.every((label) => labels.includes(label)))
}

/**
 * @param {readonly View[]} views
 * @param {View} view
 * @param {1 | -1} step
 * @returns {View}
 */
function nextView (views, view, step) {
  const index = views.indexOf(view)
  if (index === -1) return views[0] ?? view
  return views[(index + step + views.length) % views.length]
}

/** @param {number} window */
function nextWindow (window) {
  return WINDOWS.find((seconds) => seconds > window) ?? WINDOWS[0]
}

/** @param {View} view */
function isRecorded ({ by }) {
  return by.every((label) => RECORDED.includes(label))
}

/**
 * @param {Settings} settings
 * @param {number} rows
 */
function summaryQuery ({ order, window, search, view }, rows) {
  return queryOf({ by: view.by.join(), order, window, search, limit: Math.min(MAX_ROWS, rows) })
}

/** @param {Settings} settings */
function trendQuery ({ search, view }) {
  return queryOf({ by: view.by.join(), search, limit: TREND_ROWS, seconds: TREND_SECONDS })
}

/**
 * Returns the query for the figures of the process over time, and for its stalls by function.
 *
 * @param {boolean} all true for the stalls of the last 15 minutes, false for those of the last minute
 */
function courseQuery (all) {
  return queryOf({ limit: 1, seconds: all ? STALL_SECONDS : TREND_SECONDS })
}

/** @param {Record<string, string | number>} parameters */
function queryOf (parameters) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== '') query.set(name, String(value))
  return query.toString()
}

module.exports = {
  MAX_ROWS, STALL_SECONDS, TREND_ROWS, TREND_SECONDS, VIEWS, courseQuery, isRecorded, nextView, nextWindow, summaryQuery, trendQuery, viewOf, viewsWith
}
