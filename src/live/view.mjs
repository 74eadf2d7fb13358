// The state of the page: the view of the table, its order, filters, text of the search, and the chosen spans.
// Pure. The state is in the URL, so that the browser's Back button, links and a reload work.

/**
 * @typedef {{ column: string, descending: boolean }} Sort
 * @typedef {{ from: number, to: number }} Span seconds since the epoch
 * @typedef {object} State
 * @property {string} view
 * @property {Sort} sort
 * @property {[string, string][]} filters the empty value of a filter selects the calls without the label
 * @property {string} search
 * @property {boolean} map true: the map in place of the table
 * @property {number} seconds the time that the charts show
 * @property {Span | null} span the chosen span; `null`: now
 * @property {Span | null} base the span that `span` is compared with
 * @typedef {{ id: string, name: string, by: string[], key?: string }} View `key`: the view needs this label
 */

const DEFAULT_SORT = { column: 'value', descending: true }

/** The times that the charts can show, in seconds. */
export const WINDOWS = [60, 300, 900]

/** The initial state. @type {State} */
export const INITIAL = {
  view: 'function', sort: DEFAULT_SORT, filters: [], search: '', map: false, seconds: 300, span: null, base: null
}

/** @type {View[]} */
const VIEWS = [
  { id: 'function', name: 'Functions', by: ['object_classname', 'caller_functionname'] },
  { id: 'site', name: 'Call sites', by: ['caller_functionname', 'caller_filename', 'id'] },
  { id: 'object', name: 'Objects', by: ['object_classname', 'object_id'], key: 'object_id' },
  { id: 'parent', name: 'Parents', by: ['parent_object_classname', 'parent_object_id'] }
]

/** The labels of a call site. The recorder has only these labels and, with `cluster`, the label of the process. */
export const RECORDED = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname', 'process']

/** The label of the processes that share a port. Each process has a recording of its own, so the label can be a filter. */
export const PROCESS = 'process'

// The server accepts requests of at most 16 KiB.
const MAX_HASH_LENGTH = 8000

const PROP = /^(object|parent_object|caller)_props_/

/**
 * Returns the views of a state. A label with a filter has one value and needs no column; a view without
 * columns is left out.
 *
 * @param {string[]} labels the labels that at least one series has
 * @param {Pick<State, 'filters'>} state
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

/** Returns whether the recorder has all labels of a query: those to group by, and those of the filters. */
export function isRecorded (by, filters) {
  return [...by, ...filters.map(([label]) => label)].every((label) => RECORDED.includes(label))
}

/**
 * Returns the state that filters by a row's labels. Returns `null` if no view is left, or if the values are too long for
 * a request.
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
  const open = viewsOf(labels, { filters }, String)
  // With a chosen span, only a view whose labels the recorder has can be shown.
  const next = state.span === null ? open[0] : open.find((view) => isRecorded(view.by, filters))
  if (next === undefined) return null
  const drilled = { ...state, view: next.id, filters, search: '' }
  return toHash(drilled).length > MAX_HASH_LENGTH ? null : drilled
}

/** Returns the number of the chosen process as text; empty for all processes. */
export function processOf ({ filters }) {
  return filters.find(([label]) => label === PROCESS)?.[1] ?? ''
}

/** Returns the filters of the chosen process alone. */
export function processFilters ({ filters }) {
  return filters.filter(([label]) => label === PROCESS)
}

/** Returns the state with a process, or with all processes for the empty text. */
export function withProcess (state, number) {
  const filters = state.filters.filter(([label]) => label !== PROCESS)
  return { ...state, filters: number === '' ? filters : [[PROCESS, number], ...filters] }
}

/** Returns the state without one of its filters. */
export function without (state, label) {
  return { ...state, filters: state.filters.filter(([name]) => name !== label) }
}

/**
 * Returns the query string of a summary or of a history: the parameters, except those with the value `''`, and the
 * filters.
 *
 * @param {Record<string, string | number | string[]>} parameters
 * @param {[string, string][]} [filters]
 */
export function queryOf (parameters, filters = []) {
  const pairs = Object.entries(parameters).map(([name, value]) => [name, String(value)]).filter(([, value]) => value !== '')
  return new URLSearchParams([...pairs, ...filters]).toString()
}

/** Returns the order that the server sorts rows in. */
export function orderOf ({ sort }) {
  return sort.column === 'rate' ? 'rate' : 'total'
}

const spanText = ({ from, to }) => `${from.toFixed(3)}-${to.toFixed(3)}`

/** Returns the URL's fragment for a state. */
export function toHash ({ view, sort, filters, search, map, seconds, span, base }) {
  const order = (sort.descending ? '-' : '') + sort.column
  const pairs = []
  if (view !== INITIAL.view) pairs.push(['view', view])
  if (order !== '-value') pairs.push(['sort', order])
  if (search !== '') pairs.push(['search', search])
  if (map) pairs.push(['show', 'map'])
  if (seconds !== INITIAL.seconds) pairs.push(['seconds', seconds])
  if (span !== null) pairs.push(['span', spanText(span)])
  if (base !== null) pairs.push(['base', spanText(base)])
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
  const { view = INITIAL.view, sort, search = '', show, seconds, span, base, ...filters } =
    Object.fromEntries(new URLSearchParams(hash.slice(2)))
  const order = /^(-?)(.+)$/.exec(sort ?? '')
  const chosen = parseSpan(span)
  return {
    view,
    sort: order === null ? DEFAULT_SORT : { column: order[2], descending: order[1] === '-' },
    filters: Object.entries(filters),
    search,
    map: show === 'map',
    seconds: WINDOWS.includes(Number(seconds)) ? Number(seconds) : INITIAL.seconds,
    span: chosen,
    base: chosen === null ? null : parseSpan(base)
  }
}

function parseSpan (text = '') {
  const numbers = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text)
  if (numbers === null) return null
  const [from, to] = [Number(numbers[1]), Number(numbers[2])]
  return from < to ? { from, to } : null
}
