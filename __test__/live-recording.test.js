'use strict'

// Tests how the live page reads recordings: spans, restarts, comparisons, saved files, the map and the advice.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { before, test } = require('node:test')

const LIVE = path.join(__dirname, '..', 'src', 'live')
const load = (name) => import(pathToFileURL(path.join(LIVE, `${name}.mjs`)).href)
const NAMES = ['advice', 'compare', 'comparison', 'graph', 'recording', 'save', 'saved']
let advice, compare, comparison, graph, recording, save, saved
before(async () => {
  [advice, compare, comparison, graph, recording, save, saved] = await Promise.all(NAMES.map(load))
})

const labelsOf = (name) => ({ object_classname: name, caller_functionname: 'f' })

/** Returns a recording whose rows have these calls; `null`: the step was not measured. */
function history (endTimeSeconds, rows, { other, stalls = [], stepSeconds = 1 } = {}) {
  const length = Object.values(rows)[0].length
  const others = other ?? Array(length).fill(0).map((value, i) => Object.values(rows)[0][i] === null ? null : value)
  const calls = others.map((value, i) => value === null ? null : Object.values(rows).reduce((sum, values) => sum + (values[i] ?? 0), value))
  return {
    schema: 1,
    stepSeconds,
    endTimeSeconds,
    by: ['object_classname', 'caller_functionname'],
    points: { calls, lagSeconds: calls, cpuSeconds: calls, heapUsedBytes: calls, residentMemoryBytes: calls, series: calls },
    rows: Object.entries(rows).map(([name, values]) => ({ labels: labelsOf(name), calls: values })),
    other: { calls: others },
    stalls
  }
}

test('each step has the time of its end', () => {
  assert.deepEqual(recording.timesOf(history(100.5, { A: [1, 2, 3] })), [98.5, 99.5, 100.5])
  assert.deepEqual(recording.timesOf(history(100, { A: [1, 2, 3] }, { stepSeconds: 4 })), [92, 96, 100])
})

test('a rate is a mean that does not cover a step that was not measured', () => {
  assert.deepEqual(recording.ratesOf([null, 10, 20, 30, null, 40, 50], 1, 2), [null, 10, 15, 25, null, 40, 45])
  assert.deepEqual(recording.ratesOf([10, 20], 2, 1), [5, 10], 'a mean covers at least one step')
  assert.equal(recording.coveredBy([null, 1, 1, null], 1, 5), 2)
  assert.equal(recording.coveredBy([1, 1, 1], 2, 4), 4)
  assert.equal(recording.lastOf([1, 2, null]), 2)
})

test('a process that has just started has a shorter chart and a shorter mean', () => {
  const young = history(1000, { A: [...Array(280).fill(null), ...Array(20).fill(1)] })
  assert.equal(recording.startOf(young, 300), 980)
  assert.equal(recording.meanFor(young, 300), 1)
  const old = history(1000, { A: Array(300).fill(1) })
  assert.equal(recording.startOf(old, 300), 700)
  assert.equal(recording.meanFor(old, 300), 5)
  assert.equal(recording.startOf(history(1000, { A: Array(300).fill(null) }), 300), 990)
})

test('the calls of a span are the calls of its steps', () => {
  const past = history(10, { A: [1, 2, 3, 4], B: [0, 0, 9, 0] }, { other: [5, 0, 1, 0] })
  const sums = recording.sumsOver(past, { from: 7, to: 9 })
  assert.deepEqual(sums, { seconds: 2, total: 15, rows: [{ labels: labelsOf('B'), value: 9 }, { labels: labelsOf('A'), value: 5 }], other: 1 })
  assert.deepEqual(recording.sumsOver(past, { from: 1, to: 2 }).seconds, 1, 'at least a step')
  const gaps = history(10, { A: [null, null, 3, 4] })
  assert.deepEqual(recording.sumsOver(gaps, { from: 6, to: 9 }).seconds, 1, 'only steps that were measured')
  assert.deepEqual(recording.snapped(past, { from: 7.4, to: 8.7 }), { from: 7, to: 9 })
  assert.deepEqual(recording.snapped(past, { from: 9.9, to: 9.95 }), { from: 9, to: 10 })
})

test('a span has the stalls that overlap the span', () => {
  const stalls = [{ startTimeSeconds: 1, seconds: 2 }, { startTimeSeconds: 5, seconds: 1 }, { startTimeSeconds: 9, seconds: 3 }]
  assert.deepEqual(recording.stallsIn(stalls, { from: 2, to: 9 }), stalls.slice(0, 2))
})

test('after a restart the recording of the process before fills the steps before the start', () => {
  const stall = { startTimeSeconds: 7, seconds: 1, calls: 1, ongoing: true, rows: [] }
  const earlier = history(10, { A: [1, 2, 3, 4, 5], Gone: [10, 20, 30, 40, 50] }, { stalls: [stall] })
  const later = history(13, { A: [null, null, null, null, 7], New: [null, null, null, null, 1] })
  const whole = recording.joined(earlier, later)
  assert.deepEqual(whole.points.calls, [44, 55, null, null, 8])
  assert.deepEqual(whole.rows.map(({ calls }) => calls), [[4, 5, null, null, 7], [null, null, null, null, 1]])
  assert.deepEqual(whole.other.calls, [40, 50, null, null, 0], 'rows that ended are other calls')
  assert.deepEqual(whole.stalls, [{ ...stall, ongoing: false }].filter(() => false), 'the stall is before the first step')
  assert.deepEqual(recording.joined(earlier, { ...later, endTimeSeconds: 500 }).points.calls, later.points.calls)
})

test('the matching calls are the calls of the rows', () => {
  const found = recording.matching(history(10, { A: [null, 2], B: [null, 3] }, { other: [null, 100] }))
  assert.deepEqual(found.points.calls, [null, 5])
  assert.deepEqual(found.other.calls, [null, 0])
})

test('a comparison says what appeared, rose, fell and ended, the greatest difference first', () => {
  const sums = (seconds, counts) => ({ seconds, total: 0, other: 0, rows: Object.entries(counts).map(([name, value]) => ({ labels: labelsOf(name), value })) })
  const lines = compare.compare(sums(10, { A: 100, B: 100, C: 30, D: 50 }), sums(5, { A: 52, B: 600, C: 5, E: 10 }))
  assert.deepEqual(lines.map(({ labels, change }) => [labels.object_classname, change]), [['B', 'rose'], ['D', 'ended'], ['C', 'fell'], ['E', 'appeared'], ['A', 'same']])
  assert.deepEqual(lines.map(comparison.changeText), ['rose 12×', 'ended', 'fell to 1/3', 'appeared', 'about the same'])
  assert.equal(comparison.changeText({ change: 'rose', before: 10, after: 13 }), 'rose 30 %')
  assert.equal(comparison.changeText({ change: 'fell', before: 10, after: 7 }), 'fell 30 %')
})

/** Returns a saved recording with rows by all labels of a call site. */
function savedRecording () {
  const rows = [
    { labels: { object_classname: 'A', caller_functionname: 'f', id: 'x', parent_object_classname: 'P' }, calls: [null, 5, 6] },
    { labels: { object_classname: 'A', caller_functionname: 'f', id: 'y' }, calls: [null, 1, 2] },
    { labels: { object_classname: 'B', caller_functionname: 'g' }, calls: [null, 0, 3] }
  ]
  const stalls = [{ startTimeSeconds: 9, seconds: 1, calls: 3, rows: [{ labels: rows[0].labels, calls: 2 }, { labels: rows[1].labels, calls: 1 }] }]
  const past = { ...history(10, { A: [null, 6, 8] }), rows, stalls, points: { calls: [null, 10, 12] } }
  const summary = { calls: { total: 99, matched: 99 }, usedLabels: ['object_classname', 'object_id'], rows: rows.map(({ labels }, i) => ({ labels, value: 10 * (i + 1), rate: i })) }
  return { savedTimeSeconds: 10, host: 'h', summary, history: past }
}

test('a saved recording answers as the server does', () => {
  const all = saved.answer(savedRecording(), 'history.json', 'seconds=2')
  assert.deepEqual(all.points.calls, [10, 12])
  assert.deepEqual(all.rows, [{ labels: labelsOf('A'), calls: [6, 8] }, { labels: { object_classname: 'B', caller_functionname: 'g' }, calls: [0, 3] }])
  assert.deepEqual(all.other.calls, [4, 1], 'the calls that no row has')
  assert.deepEqual(all.stalls[0].rows, [{ labels: labelsOf('A'), calls: 3 }])
  const one = saved.answer(savedRecording(), 'history.json', 'seconds=300&by=id&limit=1&object_classname=A&search=Y')
  assert.deepEqual(one.rows, [{ labels: { id: 'y' }, calls: [null, 1, 2] }])
  assert.deepEqual(saved.answer(savedRecording(), 'history.json', 'by=parent_object_classname,object_classname&object_classname=A').rows.length, 2)

  const summary = saved.answer(savedRecording(), 'summary.json', 'by=object_classname&limit=1&order=rate')
  assert.deepEqual(summary.rows, [{ labels: { object_classname: 'B' }, value: 30, rate: 2 }])
  assert.deepEqual(summary.other, { groups: 1, value: 30 })
  assert.deepEqual(summary.usedLabels, ['object_classname'])
})

test('a saved page has its files inside, and no name can end the recording', () => {
  const html = fs.readFileSync(path.join(LIVE, 'page.html'), 'utf8')
  const paths = save.filesOf(html)
  assert.ok(paths.includes('live/page.js') && paths.includes('live/page.css') && paths.includes('live/icon.svg'), paths.join())
  const files = Object.fromEntries(paths.map((path) => [path, `/* ${path} $& $1 */`]))
  files['live/page.js'] = '"<body>" + \'</body>\' + `<link rel="stylesheet" href="x.css">`'
  const name = '</script><script>alert(1)</script><!--\u2028$&'
  const page = save.savedPage(html, files, { ...savedRecording(), host: name }, `<b>${name}</b>`, 'abc')
  assert.equal(JSON.parse(/<script type="application\/json" id="recording">(.*?)<\/script>/.exec(page)[1]).host, name)
  assert.doesNotMatch(page, /alert\(1\)<\/script>|<b>|(src|href)="live\//)
  for (const path of paths.filter((path) => !path.endsWith('.svg'))) assert.ok(page.includes(files[path]), path)
  const tags = [...page.matchAll(/<(script|style)[ >][^>]*>/g)].map(([tag]) => tag).filter((tag) => !tag.includes('application/json'))
  assert.equal(tags.length, paths.length - 1)
  assert.ok(tags.every((tag) => tag.includes('nonce="abc"')), tags.join())
  assert.match(page, /http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-abc';/)
})

test('the name of a saved file has the process and the time', () => {
  assert.equal(save.fileName({ name: '../a b/<c>.js' }, 0), 'hypertrace-a-b-c-.js-19700101-000000.html')
  assert.equal(save.fileName({}, 0), 'hypertrace-19700101-000000.html')
})

const edge = (parent, child, value, ids = {}) => ({
  labels: { ...parent === undefined ? {} : { parent_object_classname: parent }, object_classname: child, ...ids }, value, rate: value / 10
})

test('the map has a node for each class and an edge from each parent', () => {
  const { nodes, edges, hidden } = graph.graphOf([edge(undefined, 'A', 5), edge('A', 'B', 30), edge('A', 'B', 10), edge('B', 'B', 1), { labels: { hypertrace_overflow: 'true' }, value: 1, rate: 1 }])
  assert.deepEqual(nodes.map(({ name, value }) => [name, value]), [['A', 5], ['B', 41]].sort((a, b) => a[0] < b[0] ? -1 : 1))
  assert.deepEqual(edges.map(({ value }) => value), [40, 1])
  assert.equal(hidden, 0)
  const objects = graph.graphOf([edge('A', 'B', 1, { object_id: '7', parent_object_id: '1' })])
  assert.deepEqual(objects.nodes.map(({ name }) => name).sort(), ['A #1', 'B #7'])
})

test('the map leaves out the nodes with the fewest calls', () => {
  const many = graph.graphOf(Array.from({ length: 60 }, (_, i) => edge('Root', `C${i}`, i + 1)))
  assert.equal(many.nodes.length, graph.MAX_NODES)
  assert.equal(many.hidden, 61 - graph.MAX_NODES)
  assert.ok(many.nodes.some(({ name }) => name === 'Root') && many.nodes.some(({ name }) => name === 'C59'))
  assert.ok(!many.nodes.some(({ name }) => name === 'C0'))
})

test('dagre lays the map out: parents are left of their children, and cycles end', () => {
  const script = fs.readFileSync(path.join(LIVE, 'vendor', 'dagre.js'), 'utf8')
  const dagre = new Function(`${script}\nreturn dagre`)() // eslint-disable-line no-new-func -- a script that sets a global
  const found = graph.graphOf([edge('A', 'B', 1), edge('B', 'C', 1), edge('D', 'E', 1), edge('E', 'D', 1), edge('B', 'B', 1), edge(undefined, '__proto__', 1)])
  const { nodes, edges, width, height } = graph.layoutOf(dagre, found, false)
  const x = (name) => nodes.get(JSON.stringify([name, null])).x
  assert.ok(x('A') < x('B') && x('B') < x('C'))
  assert.equal(edges.size, 5)
  for (const { path, label } of edges.values()) {
    assert.match(path, /^M[-\d. LQC]+$/)
    assert.ok(Number.isFinite(label.x) && Number.isFinite(label.y))
  }
  assert.ok(width > 0 && height > 0)
})

const NONE = { rows: [], other: { groups: 0 } }
const facts = (more) => ({ series: { used: 10, limit: 1000, collapsed: 0, overflowed: 0 }, ids: NONE, objects: NONE, growth: [10, 10], stepSeconds: 1, expires: false, ...more })
const rowsOf = (length, labels) => ({ rows: Array.from({ length }, (_, i) => ({ labels: labels(i) })), other: { groups: 0 } })
const ids = () => advice.adviceOn(facts()).map(({ id }) => id)

test('without a cause there is no advice', () => {
  assert.deepEqual(ids(), [])
})

test('an id with a part that changes is named, with a remedy', () => {
  const one = (id) => ({ ids: rowsOf(30, (i) => ({ object_classname: 'Worker', caller_functionname: 'run', id: id(i) })) })
  const [found] = advice.adviceOn(facts(one((i) => `job-${i}`)))
  assert.equal(found.title, 'The id of Worker.run has a part that changes')
  assert.match(found.reason, /30 ids such as "job-0"/)
  assert.equal(found.code, 'trace("job", { n })')
  assert.deepEqual(advice.adviceOn(facts(one((i) => String.fromCharCode(97 + i) + 'Open'))), [], 'names that someone wrote')
  const uuid = (i) => `get:${String(i).padStart(8, '0')}-1111-4222-8333-444444444444`
  assert.equal(advice.adviceOn(facts(one(uuid)))[0].code, 'trace("get", { n })')
})

test('a class whose number of objects only grows is named', () => {
  const objects = rowsOf(200, (i) => ({ object_classname: 'Session', object_id: String(i) }))
  const growth = [null, 100, 150, 220]
  const [found] = advice.adviceOn(facts({ objects, growth }))
  assert.equal(found.title, 'The objects of Session only grow in number')
  assert.match(found.reason, /200 of them\. In the last 2 s it gained 120 series/)
  assert.equal(found.code, 'seriesIdleTimeout: 3_600_000')
  assert.deepEqual(advice.adviceOn(facts({ objects, growth, expires: true })), [], 'series expire')
  assert.deepEqual(advice.adviceOn(facts({ objects, growth: [100, 250, 220] })), [], 'some ended')
  assert.deepEqual(advice.adviceOn(facts({ objects, growth: [1000, 1060] })), [], 'hardly any growth')
})

test('near the bound, advice names the class with the most series; at the bound, it names the remedy', () => {
  const near = { used: 600, limit: 1000, collapsed: 0, overflowed: 0 }
  const objects = rowsOf(500, () => ({ object_classname: 'Peer', object_id: '1' }))
  const [byObjects] = advice.adviceOn(facts({ series: near, objects }))
  assert.match(byObjects.reason, /^500 objects use them.*Peer has the most objects/)
  assert.match(byObjects.code, /^omitLabels/)
  const sites = rowsOf(550, (i) => ({ object_classname: 'Router', caller_functionname: `f${String.fromCharCode(97 + i % 26)}` }))
  const [bySites] = advice.adviceOn(facts({ series: near, ids: sites, objects: rowsOf(5, () => ({ object_classname: 'Router', object_id: '1' })) }))
  assert.match(bySites.reason, /^550 call sites use them\. Router has the most/)
  assert.equal(bySites.code, 'maxSeries: 2000')
  const [bound] = advice.adviceOn(facts({ series: { used: 1000, limit: 1000, collapsed: 2, overflowed: 1 } }))
  assert.match(bound.reason, /^3 new label sets were counted with fewer labels/)
  assert.match(bound.code, /^omitLabels/)
})
