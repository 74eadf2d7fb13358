/* eslint-env browser */
// The live page: asks for summaries, remembers them, and shows them.

import { Chart, windowOf } from './chart.mjs'
import { bytes, count, delay, duration, heading, percent, printable, rate } from './format.mjs'
import { History, keyOf, steadyRate } from './history.mjs'
import { Poller } from './poll.mjs'
import { Table, nameOf } from './table.mjs'
import { START, descend, fromHash, queryOf, toHash, viewsOf, without } from './view.mjs'

const FEW = 100
const MANY = 1000

// A loop that is late by less than this is slow, not blocked.
const BLOCKED = 0.5
const NOTE_TIME = 60

const $ = (id) => document.getElementById(id)
const clock = () => performance.now() / 1000

let state = fromHash(location.hash) ?? START
let limit = FEW
let labels = null // what the server knows to group by, once it has told
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
  const next = descend(state, currentView().by, row, labels)
  if (next !== null) go(next)
})
const poller = new Poller(() => `summary.json?${query()}`, answered, failed)

/** The view that the state names, or the first that there is. */
function currentView () {
  const views = viewsOf(labels ?? START_LABELS, state, heading)
  return views.find(({ id }) => id === state.view) ?? views[0] ?? { id: '', name: '', by: [] }
}

// Before the first summary has told.
const START_LABELS = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'object_id', 'parent_object_classname', 'parent_object_id']

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
  limit = FEW
  $('filter').value = ''
  table.filterBy('')
  showNavigation()
  poller.now()
})

function answered (summary) {
  const now = clock()
  const view = query().replace(/&limit=\d+/, '')
  if (labels === null || labels.join() !== summary.labels.join()) {
    labels = summary.labels
    showNavigation()
    if (query().replace(/&limit=\d+/, '') !== view) return poller.now() // asked before the labels were known
  }
  if (silentSince !== null) silentSince = null
  if (history.add(summary, view, now)) {
    noteUntil = now + NOTE_TIME
    $('note').textContent = `Counts began anew at ${new Date().toLocaleTimeString()}: the process was restarted or the counter reset.`
  }
  $('note').hidden = now > noteUntil
  showSummary(summary, now)
  const { answering, lagSeconds } = summary.eventLoop
  if (answering || lagSeconds < BLOCKED) return setState('live', 'Live')
  setState('blocked', 'Event loop blocked')
  showBanner('The event loop does not answer. Calls are counted and this page goes on, from a thread of its own.', `For ${delay(lagSeconds)} now`)
}

function failed ({ status, text, wait }) {
  const now = clock()
  if (status === 400 && state !== START) return go(START) // a label that this run does not have
  silentSince ??= now
  history.gap(now)
  const said = status === 0 ? 'The process does not answer. It may have ended, or be on its way back.' : `The server says: ${printable(text)} (${status})`
  setState('silent', 'No answer')
  showBanner(said, `Since ${duration(now - silentSince)}; asked again in ${duration(wait / 1000)}`)
}

function setState (name, text) {
  if (name === 'live') $('banner').hidden = true
  if ($('state').dataset.state === name) return
  $('state').dataset.state = name
  $('state').textContent = text
}

/** The time stands apart and is not read out again each second. */
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

  const perSecondNow = steadyRate(points.calls, now)
  $('rate-now').textContent = rate(perSecondNow)
  document.title = perSecondNow === null ? 'Hypertrace' : `${perSecond(perSecondNow)} · Hypertrace`
  $('total').textContent = count(calls.total)
  $('uptime').textContent = duration(uptimeSeconds)
  $('series').textContent = `${count(series.used)} of ${count(series.limit)}` +
    (series.collapsed + series.overflowed > 0 ? `; ${count(series.collapsed + series.overflowed)} label sets shortened` : '')
  $('series-bar').style.setProperty('--share', Math.min(1, series.used / series.limit).toFixed(4))
  $('series-bar').classList.toggle('near', series.used > 0.8 * series.limit)
  $('lag-now').textContent = delay(eventLoop.lagSeconds)
  $('cpu-now').textContent = percent(steadyRate(points.cpu, now))
  $('heap-now').textContent = bytes(process.heapUsedBytes)
  $('rss-now').textContent = bytes(process.residentMemoryBytes)
  for (const [name, chart] of Object.entries(charts)) chart.draw(points[name], restarts, now)
  if (!isEmpty) showTable(summary, now)
}

function showTable ({ rows, by, calls, other }, now) {
  const lines = rows.map(({ labels: row, value }) => {
    const key = keyOf(row)
    const points = history.rows.get(key)?.points ?? []
    return { key, labels: row, value, points, rate: steadyRate(points, now), leads: descend(state, by, row, labels) !== null }
  })
  const span = windowOf(history.points.calls[0]?.t ?? now, now)
  table.draw(by, lines, { now, span, matched: calls.matched })
  showRest(other)
}

let cut = { groups: 0, value: 0 }

function showRest (other = cut) {
  cut = other
  const [shown, all] = table.shown
  const parts = []
  if (shown < all) parts.push(`${count(shown)} of ${count(all)} rows pass the filter.`)
  if (other.groups > 0) parts.push(`${count(other.groups)} more with ${count(other.value)} calls are not in the table.`)
  $('rest').textContent = parts.join(' ')
  $('more').hidden = other.groups === 0 || limit === MANY
}

function showNavigation () {
  const current = currentView()
  $('views').replaceChildren(...viewsOf(labels ?? START_LABELS, state, heading).map(({ id, name }) => {
    const button = buttonOf(printable(name, 40), () => go({ ...state, view: id }))
    if (id === current.id) button.setAttribute('aria-current', 'true')
    return button
  }))
  $('crumbs').hidden = state.filters.length === 0
  $('crumbs').replaceChildren(...state.filters.map(([label, value]) => {
    const button = buttonOf('', () => go(without(state, label)))
    const name = document.createElement('span')
    name.textContent = heading(label)
    const text = document.createElement('bdi')
    text.textContent = nameOf(label, value)
    button.append(name, ' ', text)
    button.setAttribute('aria-label', `Remove: ${heading(label)} ${nameOf(label, value)}`)
    return button
  }), ...state.filters.length > 1 ? [buttonOf('All calls', () => go(START))] : [])
}

function buttonOf (text, onclick) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = text
  button.addEventListener('click', onclick)
  return button
}

$('filter').addEventListener('input', ({ target }) => {
  table.filterBy(target.value)
  showRest()
  if (target.value !== '' && limit !== MANY && cut.groups > 0) showMore()
})

function showMore () {
  limit = MANY
  poller.now()
}

$('more').addEventListener('click', showMore)

$('pause').addEventListener('click', () => {
  poller.paused = !poller.paused
  $('pause').textContent = poller.paused ? 'Go on' : 'Pause'
  if (poller.paused) setState('paused', 'Paused')
  else setState('connecting', 'Connecting')
})

$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('snippet').textContent)
    $('copy').textContent = 'Copied'
  } catch { // not on localhost and without TLS there is no clipboard
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

$('where').textContent = location.host
$('snippet').textContent = $('snippet').textContent.replace('4343', location.port || '4343')
showNavigation()
poller.now()
