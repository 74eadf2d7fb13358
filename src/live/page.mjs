/* eslint-env browser */
// The live page: polls summaries, keeps their history and shows both.

import { Chart, meanSeconds, windowOf } from './chart.mjs'
import { bytes, count, delay, duration, heading, percent, printable, rate } from './format.mjs'
import { helpOn, setUpHelp } from './help.mjs'
import { History, keyOf, lastOf } from './history.mjs'
import { Poller } from './poll.mjs'
import { Status } from './status.mjs'
import { Table, nameOf } from './table.mjs'
import { INITIAL, drillDown, fromHash, queryOf, toHash, viewsOf, without } from './view.mjs'

const ROWS = 100
const MAX_ROWS = 1000

// An event loop with less lag than this is slow, not blocked.
const BLOCKED_SECONDS = 0.5

// The time between the last key in the filter and the request with its text.
const TYPING_MS = 250

const $ = (id) => document.getElementById(id)
const clock = () => performance.now() / 1000

let state = fromHash(location.hash) ?? INITIAL
let limit = ROWS
let search = '' // the text that the server searches; empty while the page has all rows
let labels = null // the labels that some series has, from the last summary
let silentSince = null
const past = new History()
const status = new Status(location.host)

const perSecond = (value) => `${rate(value)}/s`
const charts = {
  calls: new Chart($('chart-calls'), 'Calls per second', perSecond),
  lag: new Chart($('chart-lag'), 'Event-loop lag', delay),
  cpu: new Chart($('chart-cpu'), 'CPU, of one core', percent),
  heap: new Chart($('chart-heap'), 'Heap used', bytes),
  rss: new Chart($('chart-rss'), 'Resident memory', bytes)
}
const table = new Table($('head'), $('rows'), {
  onOpen (row) {
    const next = drillDown(state, currentView().by, row, labels)
    if (next !== null) go(next)
  },
  onSort (sort) {
    state = { ...state, sort }
    history.replaceState(null, '', toHash(state))
    table.sortBy(sort)
  },
  help: helpOn
})
const poller = new Poller(() => `summary.json?${query()}`, showAnswer, showFailure)

// The labels that the first request assumes.
const DEFAULT_LABELS = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'object_id', 'parent_object_classname', 'parent_object_id']

const views = () => viewsOf(labels ?? DEFAULT_LABELS, state, heading)

/** Returns the view of the state, or the first view. */
function currentView () {
  const all = views()
  return all.find(({ id }) => id === state.view) ?? all[0] ?? { id: '', name: '', by: [] }
}

function query () {
  return queryOf(currentView().by, state.filters, limit, search)
}

/** Returns the query without `limit` and `search`, which only select rows. */
function viewQuery () {
  return queryOf(currentView().by, state.filters, 0)
}

function go (next) {
  location.hash = toHash(next)
}

addEventListener('hashchange', () => {
  const next = fromHash(location.hash)
  if (next === null) return
  state = next
  limit = ROWS
  search = $('filter').value = ''
  table.filterBy('')
  table.sortBy(state.sort)
  showNavigation()
  poller.now()
})

function showAnswer (summary) {
  const now = clock()
  const view = viewQuery()
  if (labels?.join() !== summary.usedLabels.join()) {
    labels = summary.usedLabels
    showNavigation()
    if (viewQuery() !== view) return poller.now() // the request assumed other labels
  }
  silentSince = null
  if (past.add(summary, view, now, summary.other.groups === 0 && search === '')) status.restarted()
  showSummary(summary, now)
  showState(summary)
  if (poller.paused) past.gap(now)
}

function showState ({ eventLoop: { answering, lagSeconds } }) {
  const perSecondNow = lastOf(past.points.calls)
  if (poller.paused) status.paused()
  else if (!answering && lagSeconds >= BLOCKED_SECONDS) status.blocked(lagSeconds)
  else status.live(perSecondNow === null ? null : perSecond(perSecondNow))
}

function showFailure (failure) {
  const now = clock()
  if (failure.status === 400 && state !== INITIAL) return go(INITIAL) // the URL has a label that this process does not have
  silentSince ??= now
  past.gap(now)
  status.silent({ ...failure, seconds: now - silentSince, delay: failure.delay / 1000 })
}

function showSummary (summary, now) {
  const { calls, series, uptimeSeconds } = summary
  const { points, restarts } = past
  const isEmpty = calls.total === 0
  $('empty').hidden = !isEmpty
  $('rate').hidden = $('calls').hidden = isEmpty

  $('rate-now').textContent = rate(lastOf(points.calls))
  $('rate-window').textContent = windowText(points.calls)
  $('total').textContent = count(calls.total)
  $('uptime').textContent = duration(uptimeSeconds)
  $('lag-now').textContent = delay(lastOf(points.lag))
  $('cpu-now').textContent = percent(lastOf(points.cpu))
  $('cpu-window').textContent = windowText(points.cpu)
  $('heap-now').textContent = bytes(lastOf(points.heap))
  $('rss-now').textContent = bytes(lastOf(points.rss))
  for (const [name, chart] of Object.entries(charts)) chart.draw(points[name], restarts, now)
  showSeries(series)
  if (!isEmpty) showTable(summary, now)
}

function windowText (points) {
  const span = points.at(-1)?.span
  return span === undefined ? '' : `${meanSeconds(span)} mean`
}

function showSeries ({ used, limit: maximum, collapsed, overflowed }) {
  const shortened = collapsed + overflowed
  $('series').textContent = `${count(used)} of ${count(maximum)}`
  $('series-bar').style.setProperty('--share', Math.min(1, used / maximum).toFixed(4))
  $('series-bar').classList.toggle('near', used > 0.8 * maximum)
  $('maximum').hidden = shortened === 0
  $('maximum-text').textContent = `${count(shortened)} new label ${shortened === 1 ? 'set was' : 'sets were'} counted with fewer labels. The sum of the calls is exact.`
}

function showTable ({ rows, by, calls, other }, now) {
  const names = new Map(views().map(({ id, name }) => [id, name]))
  const lines = rows.map(({ labels: row, value }) => {
    const key = keyOf(row)
    const points = past.rows.get(key)?.points ?? []
    const next = drillDown(state, by, row, labels)
    return { key, labels: row, value, points, rate: lastOf(points), next: next === null ? null : names.get(next.view) ?? next.view }
  })
  table.draw(by, lines, { now, span: windowOf(past.rowsSince ?? now, now), matched: calls.matched })
  showRest(other)
}

let hidden = { groups: 0, value: 0 }

function showRest (other = hidden) {
  hidden = other
  const [shown, all] = table.shown
  const sentences = []
  if (shown < all) sentences.push(`${count(shown)} of ${count(all)} rows match the filter.`)
  if (other.groups > 0) sentences.push(`${count(other.groups)} more rows with ${count(other.value)} calls are not shown.`)
  $('rest').textContent = sentences.join(' ')
  $('more').hidden = other.groups === 0 || limit === MAX_ROWS
}

function showNavigation () {
  const current = currentView()
  $('views').replaceChildren(...views().map(({ id, name }) => {
    const button = createButton(printable(name, 40), () => go({ ...state, view: id }))
    if (id === current.id) button.setAttribute('aria-current', 'true')
    return button
  }))
  // On a narrow screen the tabs scroll sideways.
  $('views').scrollLeft = ($('views').querySelector('[aria-current]')?.offsetLeft ?? 0) - $('views').offsetLeft - 40
  $('crumbs').hidden = state.filters.length === 0
  $('crumbs').replaceChildren(...state.filters.map(([label, value]) => {
    const button = createButton('', () => go(without(state, label)))
    const name = document.createElement('span')
    name.textContent = heading(label)
    const text = document.createElement('bdi')
    text.textContent = nameOf(label, value)
    button.append(name, ' ', text)
    button.setAttribute('aria-label', `Remove filter: ${heading(label)} ${nameOf(label, value)}`)
    return button
  }), ...state.filters.length > 1 ? [createButton('All calls', () => go({ ...INITIAL, sort: state.sort }))] : [])
}

function createButton (text, onclick) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = text
  button.addEventListener('click', onclick)
  return button
}

let typing = 0

/** Filters the rows of the page at once. If the server has more rows, a request lets the server search all of them. */
function filterBy (text) {
  table.filterBy(text)
  showRest()
  clearTimeout(typing)
  typing = setTimeout(() => {
    const needed = hidden.groups > 0 || search !== '' ? text.trim() : ''
    if (needed === search) return
    search = needed
    poller.now()
  }, TYPING_MS)
}

$('filter').addEventListener('input', ({ target }) => filterBy(target.value))

$('more').addEventListener('click', () => {
  limit = MAX_ROWS
  poller.now()
})

$('pause').addEventListener('click', () => {
  poller.paused = !poller.paused
  $('pause').textContent = poller.paused ? 'Resume' : 'Pause'
  if (poller.paused) {
    past.gap(clock())
    status.paused()
  } else {
    status.connecting()
  }
})

$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('snippet').textContent)
    $('copy').textContent = 'Copied'
  } catch { // there is no clipboard without TLS, except on localhost
    getSelection().selectAllChildren($('snippet'))
    $('copy').textContent = 'Selected'
  }
})

addEventListener('keydown', (event) => {
  const isTyping = event.target instanceof HTMLInputElement
  const isPlain = !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey
  if (event.key === '/' && isPlain) {
    event.preventDefault()
    $('filter').focus()
  } else if (event.key === '?' && isPlain) {
    $('help-button').click()
  } else if (event.key === 'Escape' && isTyping) {
    $('filter').value = ''
    filterBy('')
  }
})

$('address').textContent = location.host
$('snippet').textContent = $('snippet').textContent.replace('4343', location.port || '4343')
setUpHelp()
table.sortBy(state.sort)
showNavigation()
status.connecting()
poller.now()
