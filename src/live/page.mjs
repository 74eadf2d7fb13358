/* eslint-env browser */
// The live page: polls summaries, keeps their history and shows both.

import { Chart, windowOf } from './chart.mjs'
import { bytes, count, delay, duration, heading, percent, printable, rate } from './format.mjs'
import { History, keyOf, meanRate } from './history.mjs'
import { Poller } from './poll.mjs'
import { Table, nameOf } from './table.mjs'
import { INITIAL, drillDown, fromHash, queryOf, toHash, viewsOf, without } from './view.mjs'

const ROWS = 100
const MAX_ROWS = 1000

// An event loop with less lag than this is slow, not blocked.
const BLOCKED_SECONDS = 0.5
const NOTE_SECONDS = 60

const $ = (id) => document.getElementById(id)
const clock = () => performance.now() / 1000

let state = fromHash(location.hash) ?? INITIAL
let limit = ROWS
let labels = null // the server's labels, from the first summary
let noteUntil = 0
let silentSince = null
const history = new History()

const perSecond = (value) => `${rate(value)}/s`
const charts = {
  calls: new Chart($('chart-calls'), 'Calls per second', perSecond),
  lag: new Chart($('chart-lag'), 'Event-loop lag', delay),
  cpu: new Chart($('chart-cpu'), 'CPU, of one core', percent),
  heap: new Chart($('chart-heap'), 'Heap used', bytes),
  rss: new Chart($('chart-rss'), 'Resident memory', bytes)
}
const table = new Table($('head'), $('rows'), (row) => {
  const next = drillDown(state, currentView().by, row, labels)
  if (next !== null) go(next)
})
const poller = new Poller(() => `summary.json?${query()}`, showAnswer, showFailure)

/** Returns the view of the state, or the first view. */
function currentView () {
  const views = viewsOf(labels ?? DEFAULT_LABELS, state, heading)
  return views.find(({ id }) => id === state.view) ?? views[0] ?? { id: '', name: '', by: [] }
}

// The labels that the first request assumes.
const DEFAULT_LABELS = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'object_id', 'parent_object_classname', 'parent_object_id']

function query () {
  return queryOf(currentView().by, state.filters, limit)
}

function go (next) {
  location.hash = toHash(next)
}

addEventListener('hashchange', () => {
  const next = fromHash(location.hash)
  if (next === null) return
  state = next
  limit = ROWS
  $('filter').value = ''
  table.filterBy('')
  showNavigation()
  poller.now()
})

function showAnswer (summary) {
  const now = clock()
  const view = query().replace(/&limit=\d+/, '')
  if (labels === null || labels.join() !== summary.labels.join()) {
    labels = summary.labels
    showNavigation()
    if (query().replace(/&limit=\d+/, '') !== view) return poller.now() // the request assumed other labels
  }
  if (silentSince !== null) silentSince = null
  if (history.add(summary, view, now)) {
    noteUntil = now + NOTE_SECONDS
    $('note').textContent = `Counts restarted at 0 at ${new Date().toLocaleTimeString()}: the process was restarted or the counter was reset.`
  }
  $('note').hidden = now > noteUntil
  showSummary(summary, now)
  const { answering, lagSeconds } = summary.eventLoop
  if (answering || lagSeconds < BLOCKED_SECONDS) return setState('live', 'Live')
  setState('blocked', 'Event loop blocked')
  showBanner('The event loop is blocked. Calls are still counted: this page comes from another thread.', `Blocked for ${delay(lagSeconds)}`)
}

function showFailure ({ status, text, delay: wait }) {
  const now = clock()
  if (status === 400 && state !== INITIAL) return go(INITIAL) // the URL has a label that this process does not have
  silentSince ??= now
  history.gap(now)
  const message = status === 0
    ? 'The process does not answer. It has ended, or it is being restarted.'
    : `The server answered with status ${status}: ${printable(text)}`
  setState('silent', 'No answer')
  showBanner(message, `No answer for ${duration(now - silentSince)}, next request in ${duration(wait / 1000)}`)
}

function setState (name, text) {
  if (name === 'live') $('banner').hidden = true
  if ($('state').dataset.state === name) return
  $('state').dataset.state = name
  $('state').textContent = text
}

/** The time is a separate element: screen readers do not repeat the message each second. */
function showBanner (text, time) {
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text
  $('banner-time').textContent = time
  $('banner').hidden = false
}

function showSummary (summary, now) {
  const { calls, series, eventLoop, process, uptimeSeconds } = summary
  const { points, restarts } = history
  const isEmpty = calls.total === 0
  $('empty').hidden = !isEmpty
  $('rate').hidden = $('calls').hidden = isEmpty

  const perSecondNow = meanRate(points.calls, now)
  $('rate-now').textContent = rate(perSecondNow)
  document.title = perSecondNow === null ? 'Hypertrace' : `${perSecond(perSecondNow)} · Hypertrace`
  $('total').textContent = count(calls.total)
  $('uptime').textContent = duration(uptimeSeconds)
  $('series').textContent = `${count(series.used)} of ${count(series.limit)}` +
    (series.collapsed + series.overflowed > 0 ? `; ${count(series.collapsed + series.overflowed)} label sets shortened` : '')
  $('series-bar').style.setProperty('--share', Math.min(1, series.used / series.limit).toFixed(4))
  $('series-bar').classList.toggle('near', series.used > 0.8 * series.limit)
  $('lag-now').textContent = delay(eventLoop.lagSeconds)
  $('cpu-now').textContent = percent(meanRate(points.cpu, now))
  $('heap-now').textContent = bytes(process.heapUsedBytes)
  $('rss-now').textContent = bytes(process.residentMemoryBytes)
  for (const [name, chart] of Object.entries(charts)) chart.draw(points[name], restarts, now)
  if (!isEmpty) showTable(summary, now)
}

function showTable ({ rows, by, calls, other }, now) {
  const lines = rows.map(({ labels: row, value }) => {
    const key = keyOf(row)
    const points = history.rows.get(key)?.points ?? []
    return { key, labels: row, value, points, rate: meanRate(points, now), expandable: drillDown(state, by, row, labels) !== null }
  })
  const span = windowOf(history.points.calls[0]?.t ?? now, now)
  table.draw(by, lines, { now, span, matched: calls.matched })
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
  $('views').replaceChildren(...viewsOf(labels ?? DEFAULT_LABELS, state, heading).map(({ id, name }) => {
    const button = createButton(printable(name, 40), () => go({ ...state, view: id }))
    if (id === current.id) button.setAttribute('aria-current', 'true')
    return button
  }))
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
  }), ...state.filters.length > 1 ? [createButton('All calls', () => go(INITIAL))] : [])
}

function createButton (text, onclick) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = text
  button.addEventListener('click', onclick)
  return button
}

$('filter').addEventListener('input', ({ target }) => {
  table.filterBy(target.value)
  showRest()
  if (target.value !== '' && limit !== MAX_ROWS && hidden.groups > 0) showMore()
})

function showMore () {
  limit = MAX_ROWS
  poller.now()
}

$('more').addEventListener('click', showMore)

$('pause').addEventListener('click', () => {
  poller.paused = !poller.paused
  $('pause').textContent = poller.paused ? 'Resume' : 'Pause'
  if (poller.paused) setState('paused', 'Paused')
  else setState('connecting', 'Connecting')
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
  const typing = event.target instanceof HTMLInputElement
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault()
    $('filter').focus()
  } else if (event.key === 'Escape' && typing) {
    $('filter').value = ''
    table.filterBy('')
    showRest()
  }
})

$('address').textContent = location.host
$('snippet').textContent = $('snippet').textContent.replace('4343', location.port || '4343')
showNavigation()
poller.now()
