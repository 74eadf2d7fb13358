'use strict'

/*
 * The effect of a key on the state. Pure.
 */

const { nextView, nextWindow, viewsWith } = require('./views')

/**
 * @typedef {import('./model').State} State
 *
 * @typedef {object} Key as `emitKeypressEvents` of Node.js describes it
 * @property {string} [name]
 * @property {boolean} [ctrl]
 * @property {boolean} [meta]
 * @property {string} [sequence]
 *
 * quit: the program ends; suspend: the program stops, as any program does after Ctrl-Z; ask: a request is sent at once
 *
 * @typedef {{ state: State, effect: 'none' | 'ask' | 'quit' | 'suspend' }} Result
 */

/** The keys and their effects, for the help. */
const KEYS = [
  ['s', 'sort by calls/s or by all calls (r: by calls/s, t: by all calls)'],
  ['/', 'search all functions, in the server; Enter ends the input, Esc ends the search'],
  ['g, 1 to 6', 'group by function, call site, class, parent class, object, process'],
  ['w', 'time over which calls/s are computed'],
  ['p, Space', 'pause and continue'],
  ['↑ ↓ PgUp PgDn Home', 'scroll'],
  ['?', 'this help'],
  ['q, Ctrl-C', 'quit']
]

/**
 * @param {State} state
 * @param {string | undefined} text the text that the key writes
 * @param {Key} key
 * @param {number} page the rows of the table
 * @returns {Result}
 */
function pressed (state, text, key, page) {
  if (key.ctrl === true && (key.name === 'c' || (key.name === 'd' && !state.typing))) return { state, effect: 'quit' }
  if (key.ctrl === true && key.name === 'z') return { state, effect: 'suspend' }
  if (state.typing) return typed(state, text, key)
  // Node.js reports the Escape key as an escape with `meta`.
  if (key.ctrl === true || (key.meta === true && key.name !== 'escape')) return { state, effect: 'none' }
  if (state.help && text !== 'q') return { state: { ...state, help: false }, effect: 'none' }
  return command(state, key.name === 'escape' ? 'escape' : text ?? key.name ?? '', key, page)
}

/**
 * @param {State} state
 * @param {string} name the text of the key, or its name
 * @param {Key} key
 * @param {number} page
 * @returns {Result}
 */
function command (state, name, key, page) {
  const { settings } = state
  const views = viewsWith(state.answer?.summary.labels ?? [])
  switch (name) {
    case 'q': return { state, effect: 'quit' }
    case '?': case 'h': return { state: { ...state, help: true }, effect: 'none' }
    case '/': return { state: { ...state, typing: true }, effect: 'none' }
    case 'p': case ' ': return { state: { ...state, paused: !state.paused }, effect: state.paused ? 'ask' : 'none' }
    case 's': return set(state, { order: settings.order === 'rate' ? 'total' : 'rate' })
    case 'r': return set(state, { order: 'rate' })
    case 't': return set(state, { order: 'total' })
    case 'w': return set(state, { window: nextWindow(settings.window) })
    case 'g': return set(state, { view: nextView(views, settings.view, 1) })
    case 'G': return set(state, { view: nextView(views, settings.view, -1) })
    case 'escape': return settings.search === '' ? { state, effect: 'none' } : set(state, { search: '' })
  }
  const view = /^[1-9]$/.test(name) ? views[Number(name) - 1] : undefined
  if (view !== undefined) return set(state, { view })
  return scrolled(state, key.name ?? '', page)
}

/**
 * @param {State} state
 * @param {string} name
 * @param {number} page
 * @returns {Result}
 */
function scrolled (state, name, page) {
  const steps = new Map([['up', -1], ['down', 1], ['pageup', -page], ['pagedown', page], ['home', -state.offset]])
  const step = steps.get(name)
  if (step === undefined || state.answer === null) return { state, effect: 'none' }
  const { rows, other } = state.answer.summary
  const last = Math.max(0, Math.min(1000, rows.length + other.groups) - page)
  const offset = Math.max(0, Math.min(last, state.offset + step))
  return { state: { ...state, offset }, effect: 'ask' }
}

/**
 * @param {State} state
 * @param {string | undefined} text
 * @param {Key} key
 * @returns {Result}
 */
function typed (state, text, key) {
  const { search } = state.settings
  if (key.name === 'return' || key.name === 'enter') return { state: { ...state, typing: false }, effect: 'none' }
  if (key.name === 'escape') return set({ ...state, typing: false }, { search: '' })
  if (key.name === 'backspace') return set(state, { search: [...search].slice(0, -1).join('') })
  if (key.ctrl === true) return key.name === 'u' ? set(state, { search: '' }) : { state, effect: 'none' }
  // The server rejects a request that is too long.
  if (text === undefined || /\p{Cc}/u.test(text) || key.meta === true || search.length > 200) return { state, effect: 'none' }
  return set(state, { search: search + text })
}

/**
 * @param {State} state
 * @param {Partial<import('./views').Settings>} change
 * @returns {Result}
 */
function set (state, change) {
  return { state: { ...state, settings: { ...state.settings, ...change }, offset: 0 }, effect: 'ask' }
}

module.exports = { KEYS, pressed }
