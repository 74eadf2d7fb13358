'use strict'

/*
 * Reads the documents of one screen one after the other, because the server computes one document at a time.
 */

const { Failure } = require('./failures')
const { courseQuery, isRecorded, summaryQuery, trendQuery } = require('./views')

/**
 * @param {import('./client').Client} client
 * @param {import('./views').Settings} settings
 * @param {{ rows: number, all: boolean }} options all: true for the stalls of the last 15 minutes, not only of the last minute
 * @returns {Promise<import('./model').Answer>}
 * @throws {Failure}
 */
async function readAnswer (client, settings, { rows, all }) {
  const summary = await client.get('summary.json', summaryQuery(settings, rows))
  const course = await history(client, courseQuery(all))
  const trends = course !== null && isRecorded(settings.view) ? await history(client, trendQuery(settings)) : null
  return { summary, course, trends }
}

/**
 * Returns a history; `null` if the server has no recorder.
 *
 * @param {import('./client').Client} client
 * @param {string} query
 */
async function history (client, query) {
  try {
    return await client.get('history.json', query)
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return null
    throw error
  }
}

module.exports = { readAnswer }
