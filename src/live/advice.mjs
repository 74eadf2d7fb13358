// Advice on the use of series, computed from summaries. Each advice has a reason and a cure (a change to make). Pure.

import { count, percent, printable } from './format.mjs'
import { titleOf } from './sentence.mjs'

/**
 * @typedef {{ rows: { labels: Record<string, string> }[], other: { groups: number } }} Summary
 * @typedef {{ used: number, limit: number, collapsed: number, overflowed: number }} Series
 * @typedef {object} Facts
 * @property {Series} series
 * @property {Summary} ids by class, function and id
 * @property {Summary} objects by class and object
 * @property {(number | null)[]} growth the number of series at each step of the recording
 * @property {number} stepSeconds
 * @property {boolean} expires true if a series has expired, because `seriesIdleTimeout` is set
 * @typedef {{ id: string, title: string, reason: string, cure: string, code: string }} Advice
 */

const OMIT = "omitLabels: ['object_id', 'parent_object_id']"

// If a function has fewer ids than this number, the ids are assumed to be names in the source code.
const MIN_IDS = 20
const MIN_OBJECTS = 50
const NEAR = 0.5
const MIN_GROWTH = 0.1

const CHANGING = /[0-9a-f]{8}-[0-9a-f-]{27,}|(?<![a-z])[0-9a-f]{8,}(?![a-z])|\d+/gi

/** Returns the form of an id: its numbers, hashes and UUIDs are replaced by `…`. */
export function formOf (id) {
  return id.replace(CHANGING, '…')
}

/** Returns all advice, the most urgent first. @param {Facts} facts @returns {Advice[]} */
export function adviceOn (facts) {
  const growing = growingClass(facts)
  return [bound(facts.series), ids(facts.ids.rows), growing, heavy(facts, growing)].filter((advice) => advice !== null)
}

function bound ({ limit, collapsed, overflowed }) {
  const shortened = collapsed + overflowed
  if (shortened === 0) return null
  return {
    id: 'bound',
    title: 'The number of series is at its maximum',
    reason: `${count(shortened)} new label ${shortened === 1 ? 'set was' : 'sets were'} counted with fewer labels, because maxSeries is ${count(limit)}. The sum of the calls is exact.`,
    cure: 'To keep the other labels, leave out the ids of objects. Or increase maxSeries.',
    code: OMIT
  }
}

function ids (rows) {
  const forms = new Map()
  for (const { labels } of rows) {
    const { id = '', ...site } = labels
    const form = formOf(id)
    if (form === id) continue
    const key = JSON.stringify([Object.values(site), form])
    const group = forms.get(key) ?? { site, form, example: id, ids: 0 }
    group.ids++
    forms.set(key, group)
  }
  const [worst] = [...forms.values()].sort((a, b) => b.ids - a.ids)
  if (worst === undefined || worst.ids < MIN_IDS) return null
  const fixed = worst.form.replace(/[-_:/.\s]*…[-_:/.\s]*/g, '-').replace(/^-|-$/g, '') || 'call'
  return {
    id: 'id',
    title: `The id of ${titleOf(worst.site)} has a part that changes`,
    reason: `It has ${count(worst.ids)} ids such as ${JSON.stringify(printable(worst.example, 40))}, and each is a series of its own.`,
    cure: 'Use one id, and pass what changes as a property. A property is a label only if allowedProps names it.',
    code: `trace(${JSON.stringify(printable(fixed, 40))}, { n })`
  }
}

/** Returns the names of rows and the number of rows of each, the most frequent name first. */
function counted (rows, nameOf) {
  const names = new Map()
  for (const { labels } of rows) names.set(nameOf(labels), (names.get(nameOf(labels)) ?? 0) + 1)
  return [...names].sort((a, b) => b[1] - a[1])
}

const classOf = ({ object_classname: name = '' }) => name

/** Returns the class with the most objects, and their number. */
function largestClass ({ rows }) {
  return counted(rows.filter(({ labels }) => labels.object_id !== undefined), classOf)[0]
}

function growingClass ({ objects, growth, stepSeconds, expires }) {
  const measured = growth.filter((value) => value !== null)
  const [first, last] = [measured[0] ?? 0, measured.at(-1) ?? 0]
  const largest = largestClass(objects)
  const grows = measured.every((value, i) => i === 0 || value >= measured[i - 1])
  if (expires || !grows || largest === undefined || largest[1] < MIN_OBJECTS || last - first < Math.max(MIN_OBJECTS, first * MIN_GROWTH)) return null
  const seconds = Math.round((measured.length - 1) * stepSeconds)
  return {
    id: 'objects',
    title: `The objects of ${printable(largest[0], 60)} only grow in number`,
    reason: `The counter has ${largest[1] >= 1000 ? 'at least ' : ''}${count(largest[1])} of them. In the last ${count(seconds)} s it gained ${count(last - first)} series and lost none: an object that has ended keeps its series.`,
    cure: 'Remove the series of objects that are no longer called, or leave out the ids of objects.',
    code: 'seriesIdleTimeout: 3_600_000'
  }
}

function heavy ({ series: { used, limit, collapsed, overflowed }, objects, ids }, growing) {
  if (used < limit * NEAR || collapsed + overflowed > 0 || growing !== null) return null
  const [sites, all] = [ids, objects].map(({ rows, other }) => rows.length + other.groups)
  const owner = largestClass(objects)
  const isObjects = sites < used / 2 && owner !== undefined
  const [site] = counted(ids.rows, classOf)
  return {
    id: 'near',
    title: `${percent(used / limit)} of maxSeries are used`,
    reason: isObjects
      ? `${count(all)} objects use them, each with a series for each of its call sites. ${printable(owner[0], 60)} has the most objects.`
      : `${count(sites)} call sites use them.${site === undefined || site[0] === '' ? '' : ` ${printable(site[0], 60)} has the most.`}`,
    cure: `Above 90 %, new label sets are counted with fewer labels. ${isObjects ? 'Leave out the ids of objects, or increase maxSeries.' : 'Increase maxSeries.'}`,
    code: isObjects ? OMIT : `maxSeries: ${limit * 2}`
  }
}
