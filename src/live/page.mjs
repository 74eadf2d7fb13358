/* eslint-env browser */
// The live page: polls the server and shows its answers; or shows a recording that was saved.

import { adviceOn } from './advice.mjs'
import { Calls } from './calls.mjs'
import { setUpControls } from './controls.mjs'
import { $ } from './dom.mjs'
import { duration, heading } from './format.mjs'
import { setUpHelp } from './help.mjs'
import { showNavigation } from './navigation.mjs'
import { showAdvice, showStalls } from './notices.mjs'
import { Overview, perSecond, showProcess, showProcesses, showSpan, showTotals } from './overview.mjs'
import { Failure, Poller, fetchJson } from './poll.mjs'
import { hasAll, joined, meanFor, snapped, stallsIn, startOf } from './recording.mjs'
import { MAX_ROWS, adviceRequests, isMatching, requestsOf, spanKey } from './requests.mjs'
import { answer } from './saved.mjs'
import { save } from './saving.mjs'
import { stallMessage } from './sentence.mjs'
import { Status } from './status.mjs'
import { INITIAL, RECORDED, drillDown, fromHash, isRecorded, processFilters, processOf, toHash, viewsOf, withProcess } from './view.mjs'

const ROWS = 50

// An event loop with less lag than this is slow, not blocked.
const BLOCKED_SECONDS = 0.5

const ADVICE_SECONDS = 10

// The labels that the first request assumes.
const DEFAULT_LABELS = [...RECORDED.filter((label) => label !== 'process'), 'object_id', 'parent_object_id']

/** @type {import('./saved.mjs').Saved | null} */
const saved = JSON.parse($('recording')?.textContent ?? 'null')
const read = saved === null ? fetchJson : async (path, query) => answer(saved, path, query)

let state = fromHash(location.hash) ?? INITIAL
let limit = ROWS
let labels = null // the labels that at least one series has, from the last summary
let answers = null // the last answers
let earlier = null // the last recording of the process before a restart
let restarts = []
let facts = null // the summaries from which the advice is computed
let factsTime = -Infinity
let silentSince = null
let isPicking = false // true while the user chooses the span to compare with
const status = new Status(saved?.host ?? location.host)

const overview = new Overview({ onSpan: choose, onClick: chooseStallAt, onHover: (key) => overview.emphasise(key) })
const calls = new Calls({
  onOpen (row) {
    const next = drillDown(state, answers.span?.by ?? answers.summary.by, row, labels)
    if (next !== null) go(next)
  },
  onClass (className) {
    go({ ...state, filters: [...processFilters(state), ['object_classname', className]] })
  },
  onSort (sort) {
    const isServerSort = ['rate', 'value', 'share'].includes(sort.column)
    state = { ...state, sort }
    history.replaceState(null, '', toHash(state))
    calls.sortBy(sort)
    if (isServerSort && answers?.summary.other.groups > 0) poller.now()
  },
  onHover: (key) => overview.emphasise(key),
  colourOf: (key) => overview.colourOf(key)
})
const poller = new Poller(load, showAnswers, showFailure)

const views = () => viewsOf(labels ?? DEFAULT_LABELS, state, heading)

/** Returns the view of the state, or the first view. */
function currentView () {
  const all = views()
  return all.find(({ id }) => id === state.view) ?? all[0] ?? { id: '', name: '', by: [] }
}

function go (next, isReplaced = false) {
  if (isReplaced) {
    history.replaceState(null, '', toHash(next))
    follow()
  } else {
    location.hash = toHash(next)
  }
}

function follow () {
  const next = fromHash(location.hash)
  if (next === null) return
  state = next
  limit = ROWS
  if (document.activeElement !== $('filter')) $('filter').value = state.search
  calls.sortBy(state.sort)
  showViews()
  poller.now()
}

addEventListener('hashchange', follow)

function showViews () {
  document.body.classList.toggle('mapped', state.map)
  showNavigation(state, views(), currentView().id, go)
}

/** Requests everything that the state needs, at once. */
async function load (signal) {
  const get = async ([name, [path, query]]) => {
    try {
      return [name, await read(path, query, signal)]
    } catch (failure) {
      // Without a recorder (`history: 0`) the server has no history.json, and the page shows no charts.
      if (failure instanceof Failure && failure.status === 404 && path === 'history.json') return [name, null]
      throw failure
    }
  }
  const requested = state
  const now = answers?.history?.endTimeSeconds ?? saved?.history.endTimeSeconds ?? Date.now() / 1000
  const requests = requestsOf(state, currentView().by, labels ?? DEFAULT_LABELS, limit, now, meanFor(answers?.history ?? null, state.seconds))
  // The calls in a span that has ended do not change, so they are requested once.
  const key = spanKey(state, currentView().by)
  const cached = key !== null && answers?.spanKey === key && hasAll(answers.span, state) ? { span: answers.span, map: answers.map } : {}
  const missing = Object.entries(requests).filter(([name]) => cached[name] === undefined)
  const results = await Promise.all(missing.map(get))
  const found = { ...cached, ...Object.fromEntries(results), state: requested, spanKey: key }
  if (labels !== null && !poller.paused && performance.now() / 1000 - factsTime > ADVICE_SECONDS) {
    factsTime = performance.now() / 1000
    facts = Object.fromEntries(await Promise.all(Object.entries(adviceRequests(labels)).map(get)))
  }
  return found
}

function showAnswers (found) {
  const { summary } = found
  const view = currentView().by.join()
  if (labels?.join() !== summary.usedLabels.join()) {
    labels = summary.usedLabels
    showViews()
    if (currentView().by.join() !== view) return poller.now() // the request assumed other labels
  }
  silentSince = null
  followProcess(found)
  answers = found
  if (found.history !== null && earlier !== null) {
    for (const name of ['history', 'overview']) if (found[name] !== undefined) found[name] = joined(earlier, found[name])
  }
  show()
}

/** Notes a restart of the process, or a reset of its counter. */
function followProcess (found) {
  const { summary } = found
  const last = answers?.summary
  if (last === undefined) return
  if (processOf(found.state) !== processOf(answers.state)) {
    // The user has chosen another process: its recording does not continue the earlier one.
    earlier = null
    restarts = []
    return
  }
  // The sum over all processes falls when one of them ends; this is no restart.
  if (processOf(found.state) === '' && summary.processes !== undefined) return
  const isOther = summary.startTimeSeconds !== last.startTimeSeconds || summary.uptimeSeconds < last.uptimeSeconds
  const isReset = summary.calls.total < last.calls.total
  if (isOther) {
    earlier = answers.history
    restarts.push(summary.startTimeSeconds)
  }
  if (isOther || isReset) status.restarted()
}

function show () {
  const { summary, history } = answers
  const isEmpty = summary.calls.total === 0
  $('empty').hidden = !isEmpty
  $('rate').hidden = $('calls').hidden = isEmpty
  showProcess(summary)
  showProcesses(summary.processes ?? [], processOf(state), (number) => go(withProcess(state, number)))
  showTotals(summary)
  status.rename(summary.process.name || location.host)
  $('no-history').hidden = history !== null
  $('charts').classList.toggle('unrecorded', history === null)
  if (history === null) return showWithoutRecorder(isEmpty)

  const { stalls, endTimeSeconds: to } = answers.overview ?? history
  restarts = restarts.filter((time) => time > to - state.seconds)
  const rate = draw(['silent', 'paused'].includes(document.body.dataset.state))
  const shown = state.span ?? { from: to - state.seconds, to: Infinity }
  showStalls(stallsIn(stalls, shown), state.span === null ? `in the last ${duration(Math.round(to - startOf(history, state.seconds)))}` : 'in the chosen time', chooseStall)
  if (!isEmpty) showCalls()
  if (facts !== null) showAdviceOn(summary, history)
  showState(summary, stalls, rate)
}

function showWithoutRecorder (isEmpty) {
  showStalls([], '', () => {})
  if (!isEmpty) showCalls()
  showState(answers.summary, [], null)
}

function showCalls () {
  // These answers belong to the state before the last click. The answers for the present state are under way.
  if (answers.state.span !== state.span || answers.state.map !== state.map) return
  const sums = calls.draw(state, answers, labels)
  showSpan(state, sums, {
    onCompare () {
      const { from, to } = state.span
      go({ ...state, base: { from: from - (to - from), to: from } })
    },
    onPick () {
      isPicking = true
      showCalls()
      $('chart-calls').focus()
    },
    onUncompare: () => go({ ...state, base: null }),
    onClear: () => choose(null)
  }, isPicking)
}

function showAdviceOn ({ series }, { points, stepSeconds }) {
  showAdvice(adviceOn({ series, growth: points.series, stepSeconds, expires: series.expired > 0, ids: facts.ids, objects: facts.objects ?? { rows: [], other: { groups: 0 } } }))
}

function showState ({ eventLoop: { answering, lagSeconds } }, stalls, rate) {
  const stall = stalls.findLast(({ ongoing }) => ongoing)
  if (saved !== null) status.recording(saved.savedTimeSeconds)
  else if (poller.paused) status.paused()
  else if (stall !== undefined) status.blocked(Math.max(stall.seconds, lagSeconds), stallMessage(stall))
  else if (!answering && lagSeconds >= BLOCKED_SECONDS) status.blocked(lagSeconds, 'The event loop is blocked. Calls are still counted: this page comes from another thread.')
  else status.live(rate === null ? null : perSecond(rate))
}

function showFailure ({ status: code, message }, delay) {
  if (code === 400 && state !== INITIAL) return go(INITIAL) // the URL has a label that this process does not have
  const now = performance.now() / 1000
  silentSince ??= now
  status.silent({ status: code, text: message, seconds: now - silentSince, delay: delay / 1000 })
  if (answers !== null) draw(true)
}

/** Draws the charts, dimmed if their values are not current. Returns the present rate. */
function draw (dimmed) {
  const { history, overview: unfiltered = history } = answers
  if (history === null) return null
  const isFiltered = isMatching(answers.state, answers.summary.by)
  return overview.draw(history, { ...state, stalls: unfiltered.stalls, restarts, dimmed, isFiltered })
}

/** Chooses a span; `null` chooses the present. */
function choose (span) {
  if (answers?.history == null) return
  const exact = span === null ? null : snapped(answers.history, span)
  const next = isPicking && exact !== null && state.span !== null
    ? { ...state, base: exact }
    : { ...(exact === null ? state : recordedState(state)), span: exact, base: null }
  isPicking = false
  go(next, state.span !== null && exact !== null)
}

/** Returns a state without the view and the filters for which the recording has no labels. */
function recordedState (state) {
  const view = isRecorded(currentView().by, []) ? state.view : INITIAL.view
  return { ...state, view, filters: state.filters.filter(([label]) => isRecorded([label], [])) }
}

function chooseStall ({ startTimeSeconds, seconds }) {
  choose({ from: startTimeSeconds, to: startTimeSeconds + seconds })
}

function chooseStallAt (time) {
  const { stalls } = answers.overview ?? answers.history
  const near = state.seconds / 100 // the mark of a short stall is a pixel or two wide
  const stall = stalls.find(({ startTimeSeconds: start, seconds }) => start - near <= time && time <= start + seconds + near)
  if (stall !== undefined) chooseStall(stall)
}

setUpControls({
  onSearch (text) {
    if (text !== state.search) go({ ...state, search: text }, true)
  },
  onMore () {
    limit = MAX_ROWS
    poller.now()
  },
  onPause () {
    poller.paused = !poller.paused
    if (!poller.paused) status.connecting()
    else {
      status.paused()
      if (answers !== null) draw(true)
    }
    return poller.paused
  },
  onSave: () => save($('save'), labels ?? DEFAULT_LABELS)
})

document.body.classList.toggle('saved', saved !== null)
$('snippet').textContent = $('snippet').textContent.replace('4343', location.port || '4343')
$('filter').value = state.search
setUpHelp()
calls.sortBy(state.sort)
showViews()
if (saved === null) {
  status.connecting()
  poller.now()
} else {
  poller.paused = true
  poller.now()
}
