// The state of the table: the labels that calls are summed by, the order of the rows, and the filters.
// Pure. The state is in the URL, so that the browser's Back button, links and a reload work.

/**
 * @typedef {{ column: string, descending: boolean }} Sort
 * @typedef {{ view: string, sort: Sort, filters: [string, string][] }} State the empty value of a filter
 *   selects the calls without the label
 * @typedef {{ id: string, name: string, by: string[], key?: string }} View `key`: the view needs this label
 */

const DEFAULT_SORT = { column: 'value', descending: true }

/** The initial state. */
export const INITIAL = { view: 'function', sort: DEFAULT_SORT, filters: [] }

/** @type {View[]} */
const VIEWS = [
  { id: 'function', name: 'Functions', by: ['object_classname', 'caller_functionname'] },
  { id: 'site', name: 'Call sites', by: ['caller_functionname', 'caller_filename', 'id'] },
  { id: 'object', name: 'Objects', by: ['object_classname', 'object_id'], key: 'object_id' },
  { id: 'parent', name: 'Parents', by: ['parent_object_classname', 'parent_object_id'] }
]

// The server accepts requests of at most 16 KiB.
const MAX_HASH_LENGTH = 8000

const PROP = /^(object|parent_object|caller)_props_/

/**
 * Returns the views of a state. A label with a filter has one value and needs no column; a view without
 * columns is left out.
 *
 * @param {string[]} labels the labels that some series has
 * @param {State} state
 * @param {(label: string) => string} heading
 * @returns {View[]}
 */
export function viewsOf (labels, state, heading) {
  const props = labels.filter((label) => PROP.test(label))
  const all = [...VIEWS, ...props.map((label) => ({ id: label, name: heading(label), by: [label] }))]
  const isOpen = (label) => labels.includes(label) && !state.filters.some(([name]) => name === label)
  return all
    .filter(({ key }) => key === undefined || isOpen(key))
    .map((view) => ({ ...view, by: view.by.filter(isOpen) }))
    .filter(({ by }) => by.length > 0)
}

/**
 * Returns the state that filters by a row's labels; `null` if no other label is left, or if the names are
 * too long for a request.
 *
 * @param {State} state
 * @param {string[]} by
 * @param {Record<string, string>} row the labels of the row
 * @param {string[]} labels
 * @returns {State | null}
 */
export function drillDown (state, by, row, labels) {
  if ('hypertrace_overflow' in row) return null
  const filters = [...state.filters, ...by.map((label) => [label, row[label] ?? ''])]
  const [next] = viewsOf(labels, { ...state, filters }, String)
  if (next === undefined) return null
  const drilled = { ...state, view: next.id, filters }
  return toHash(drilled).length > MAX_HASH_LENGTH ? null : drilled
}

/** Returns the state without one of its filters. */
export function without (state, label) {
  return { ...state, filters: state.filters.filter(([name]) => name !== label) }
}

/** Returns the query string of a summary. */
export function queryOf (by, filters, limit, search = '') {
  const query = new URLSearchParams()
  if (by.length > 0) query.set('by', by.join(','))
  query.set('limit', limit)
  if (search !== '') query.set('search', search)
  for (const [label, value] of filters) query.set(label, value)
  return query.toString()
}

/** Returns the URL's fragment for a state. */
export function toHash ({ view, sort, filters }) {
  const order = (sort.descending ? '-' : '') + sort.column
  const pairs = view === INITIAL.view ? [] : [['view', view]]
  if (order !== '-value') pairs.push(['sort', order])
  if (pairs.length + filters.length === 0) return '#'
  return '#?' + new URLSearchParams([...pairs, ...filters])
}

/**
 * Parses a fragment. Returns `null` if the page did not write it.
 *
 * @returns {State | null}
 */
export function fromHash (hash) {
  if (hash === '' || hash === '#') return INITIAL
  if (!hash.startsWith('#?')) return null
  const { view = INITIAL.view, sort, ...filters } = Object.fromEntries(new URLSearchParams(hash.slice(2)))
  const order = /^(-?)(.+)$/.exec(sort ?? '')
  return {
    view,
    sort: order === null ? DEFAULT_SORT : { column: order[2], descending: order[1] === '-' },
    filters: Object.entries(filters)
  }
}
