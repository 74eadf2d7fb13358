// What the table shows: which labels calls are summed by, and which calls. Pure; kept in the
// address, so that Back goes back and a link leads to the same table.

/**
 * @typedef {{ view: string, filters: [string, string][] }} State a filter's empty value: no such label
 * @typedef {{ id: string, name: string, by: string[] }} View
 */

/** What the page starts with. */
export const START = { view: 'function', filters: [] }

const VIEWS = [
  { id: 'function', name: 'Functions', by: ['object_classname', 'caller_functionname'] },
  { id: 'site', name: 'Call sites', by: ['caller_functionname', 'caller_filename', 'id'] },
  { id: 'object', name: 'Objects', by: ['object_classname', 'object_id'] },
  { id: 'parent', name: 'Parents', by: ['parent_object_classname', 'parent_object_id'] }
]

// The server takes no more than 16 KiB of request.
const LONGEST_ADDRESS = 8000

const PROP = /^(object|parent_object|caller)_props_/

/**
 * The views of a state: a label that is filtered by has one value and needs no column.
 *
 * @param {string[]} labels what the server knows
 * @param {State} state
 * @param {(label: string) => string} heading
 * @returns {View[]} views without anything left to tell are not among them
 */
export function viewsOf (labels, state, heading) {
  const props = labels.filter((label) => PROP.test(label))
  const all = [...VIEWS, ...props.map((label) => ({ id: label, name: heading(label), by: [label] }))]
  const isOpen = (label) => labels.includes(label) && !state.filters.some(([name]) => name === label)
  return all.map((view) => ({ ...view, by: view.by.filter(isOpen) })).filter(({ by }) => by.length > 0)
}

/**
 * The state one row further down; `null` where there is nothing further, or names too long to ask by.
 *
 * @param {State} state
 * @param {string[]} by
 * @param {Record<string, string>} row its labels
 * @param {string[]} labels
 * @returns {State | null}
 */
export function descend (state, by, row, labels) {
  if ('hypertrace_overflow' in row) return null
  const filters = [...state.filters, ...by.map((label) => [label, row[label] ?? ''])]
  const [next] = viewsOf(labels, { view: '', filters }, String)
  const further = next === undefined ? null : { view: next.id, filters }
  return further !== null && toHash(further).length > LONGEST_ADDRESS ? null : further
}

/** The state without one of its filters. */
export function without (state, label) {
  return { ...state, filters: state.filters.filter(([name]) => name !== label) }
}

/** The query of a summary. */
export function queryOf (by, filters, limit) {
  const query = new URLSearchParams()
  if (by.length > 0) query.set('by', by.join(','))
  query.set('limit', limit)
  for (const [label, value] of filters) query.set(label, value)
  return query.toString()
}

/** The state as the address's fragment. */
export function toHash ({ view, filters }) {
  if (view === START.view && filters.length === 0) return '#'
  return '#?' + new URLSearchParams([['view', view], ...filters])
}

/**
 * The state of a fragment; `null` if it is none of the page's own.
 *
 * @returns {State | null}
 */
export function fromHash (hash) {
  if (hash === '' || hash === '#') return START
  if (!hash.startsWith('#?')) return null
  const pairs = [...new URLSearchParams(hash.slice(2))]
  const view = pairs.find(([name]) => name === 'view')?.[1] ?? START.view
  const filters = new Map(pairs.filter(([name]) => name !== 'view'))
  return { view, filters: [...filters] }
}
