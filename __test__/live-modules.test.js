'use strict'

// Tests the live page's pure functions: rates, scales, names, views.

const assert = require('node:assert/strict')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { before, test } = require('node:test')

const load = (name) => import(pathToFileURL(path.join(__dirname, '..', 'src', 'live', `${name}.mjs`)).href)
let chart, format, history, poll, view
before(async () => {
  [chart, format, history, poll, view] = await Promise.all(['chart', 'format', 'history', 'poll', 'view'].map(load))
})

/** Returns a summary with these counts by class. */
function summary (uptimeSeconds, counts, more = {}) {
  const rows = Object.entries(counts).map(([name, value]) => ({ labels: { object_classname: name }, value }))
  const total = rows.reduce((sum, { value }) => sum + value, 0)
  return {
    startTimeSeconds: 1000,
    uptimeSeconds,
    series: { expired: 0 },
    calls: { total, matched: total },
    rows,
    other: { groups: 0, value: 0 },
    eventLoop: { answering: true, lagSeconds: 0.001 },
    process: { cpuSeconds: uptimeSeconds / 2, heapUsedBytes: 5, residentMemoryBytes: 7 },
    ...more
  }
}

const valuesOf = (points) => points.map(({ v }) => v)
const rowOf = (past, name) => past.rows.get(history.keyOf({ object_classname: name }))
/** The number of calls of a constant rate. */
const calls = (seconds) => ({ A: 100 + 50 * seconds })

test('rates start with the second summary and use the server\'s clock', () => {
  const past = new history.History()
  past.add(summary(10, { A: 100 }), 'v', 1)
  assert.deepEqual(valuesOf(past.points.calls), [])
  assert.equal(history.lastOf(past.points.calls), null)
  past.add(summary(12, { A: 300 }), 'v', 3.7)
  assert.deepEqual(valuesOf(past.points.calls), [100])
  assert.deepEqual(valuesOf(past.points.cpu), [0.5])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [100])
  assert.deepEqual(valuesOf(past.points.heap), [5, 5])
})

test('a rate is the mean of the last 5 seconds', () => {
  const past = new history.History()
  // 100 calls in the first second, then none.
  for (let i = 0; i <= 10; i++) past.add(summary(i, { A: 100 + Math.min(i, 1) * 100 }), 'v', i)
  assert.deepEqual(valuesOf(past.points.calls), [100, 50, 100 / 3, 25, 20, 0, 0, 0, 0, 0])
  assert.deepEqual(past.points.calls.map(({ span }) => span), [1, 2, 3, 4, 5, 5, 5, 5, 5, 5])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), valuesOf(past.points.calls))
})

test('a summary within half a second of the last point adds no point, and no call is missed', () => {
  const past = new history.History()
  past.add(summary(10, calls(0)), 'v', 1)
  past.add(summary(11, calls(1)), 'v', 2)
  past.add(summary(11.004, { A: 151 }), 'v', 2.01)
  past.add(summary(11.3, { A: 151 }), 'v', 2.3)
  assert.deepEqual(valuesOf(past.points.calls), [50])
  assert.equal(past.points.lag.length, 2)
  past.add(summary(12, calls(2)), 'v', 3)
  assert.deepEqual(valuesOf(past.points.calls), [50, 50])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [50, 50])
})

test('a new row has counted from 0, unless the last summary left rows out', () => {
  const past = new history.History()
  past.add(summary(10, { A: 1 }), 'v', 1)
  past.add(summary(12, { A: 1, B: 8 }), 'v', 3)
  assert.deepEqual(valuesOf(rowOf(past, 'B').points), [4])
  past.add(summary(14, { A: 1, B: 8 }, { other: { groups: 3, value: 9 } }), 'v', 5)
  past.add(summary(16, { A: 1, B: 8, C: 50 }), 'v', 7)
  assert.deepEqual(valuesOf(rowOf(past, 'C').points), [])
})

test('a search does not remove the history of other rows', () => {
  const past = new history.History()
  past.add(summary(10, { A: 1, B: 1 }), 'v', 1)
  past.add(summary(11, { A: 1, B: 3 }), 'v', 2)
  past.add(summary(12, { A: 1 }, { calls: { total: 6, matched: 6 } }), 'v', 3, false)
  past.add(summary(13, { A: 1, B: 7, C: 5 }), 'v', 4)
  assert.deepEqual(valuesOf(rowOf(past, 'B').points), [2, 2])
  assert.deepEqual(valuesOf(rowOf(past, 'C').points), [], 'the search may have excluded it before')
})

test('rows of different views are not compared', () => {
  const past = new history.History()
  past.add(summary(10, { A: 100 }), 'v', 1)
  past.add(summary(11, { A: 4 }, { calls: { total: 150, matched: 4 } }), 'w', 2)
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [])
  assert.deepEqual(valuesOf(past.points.calls), [50])
})

test('a restart adds a gap and a mark, and no negative rate', () => {
  const past = new history.History()
  past.add(summary(10, { A: 100 }), 'v', 1)
  past.add(summary(11, { A: 200 }), 'v', 2)
  assert.equal(past.add(summary(1, { A: 500 }, { startTimeSeconds: 2000 }), 'v', 3), true)
  assert.deepEqual(valuesOf(past.points.calls).filter((v) => v !== null), [100])
  assert.equal(past.points.calls.at(-1).v, null)
  assert.deepEqual(past.restarts, [3])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [])
  assert.equal(past.add(summary(2, { A: 510 }, { startTimeSeconds: 2000 }), 'v', 4), false)
  assert.equal(history.lastOf(past.points.calls), 10)
})

test('a reset adds a mark, and series that expire add none; neither ends the rate of all calls', () => {
  const past = new history.History()
  past.add(summary(10, { A: 100, B: 5 }), 'v', 1)
  assert.equal(past.add(summary(11, { A: 120 }, { series: { expired: 1 }, calls: { total: 125, matched: 120 } }), 'v', 2), false)
  assert.deepEqual(valuesOf(past.points.calls), [20])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [20])
  assert.equal(rowOf(past, 'B'), undefined)
  assert.deepEqual(past.restarts, [])
  assert.equal(past.add(summary(12, { A: 3 }, { series: { expired: 1 }, calls: { total: 145, matched: 3 } }), 'v', 3), true)
  assert.deepEqual(past.restarts, [3])
  assert.deepEqual(valuesOf(past.points.calls), [20, 20])
})

test('a view with fewer calls is no reset', () => {
  const past = new history.History()
  past.add(summary(10, { A: 100 }), 'v', 1)
  assert.equal(past.add(summary(11, { A: 4 }, { calls: { total: 100, matched: 4 } }), 'w', 2), false)
  assert.deepEqual(past.restarts, [])
})

test('no rate covers a gap: neither the time without answers nor a pause', () => {
  const past = new history.History()
  past.add(summary(10, { A: 1 }), 'v', 1)
  past.add(summary(11, { A: 2 }), 'v', 2)
  past.gap(3)
  past.gap(4)
  past.add(summary(60, { A: 1000, B: 5 }), 'v', 51)
  assert.deepEqual(valuesOf(past.points.calls), [1, null])
  past.add(summary(61, { A: 1003, B: 5 }), 'v', 52)
  assert.deepEqual(valuesOf(past.points.calls), [1, null, 3])
  assert.deepEqual(valuesOf(past.points.lag), [0.001, 0.001, null, 0.001, 0.001])
  assert.deepEqual(valuesOf(rowOf(past, 'A').points), [1, null, 3])
  assert.deepEqual(valuesOf(rowOf(past, 'B').points), [0], 'a new row after a gap has not counted from 0 in one second')
})

test('the history is as long as the charts', () => {
  const past = new history.History()
  for (let i = 0; i < 1000; i++) past.add(summary(i, { A: i }), 'v', i)
  assert.ok(past.points.calls.length <= history.WINDOW + 2)
  assert.ok(rowOf(past, 'A').points.length <= history.WINDOW + 2)
})

test('numbers are formatted briefly', () => {
  const table = [
    [format.rate(null), '–'], [format.rate(0), '0'], [format.rate(0.042), '0.042'], [format.rate(12.34), '12.3'], [format.rate(123456.7), '123,457'],
    [format.count(225600), '225,600'], [format.count(NaN), '–'],
    [format.percent(0), '0 %'], [format.percent(0.0123), '1.2 %'], [format.percent(0.5), '50 %'], [format.percent(1.5), '150 %'],
    [format.bytes(999), '999 B'], [format.bytes(12345678), '12.3 MB'], [format.bytes(null), '–'],
    [format.delay(0), '0 ms'], [format.delay(0.00001), '< 0.1 ms'], [format.delay(0.0012), '1.2 ms'], [format.delay(0.25), '250 ms'], [format.delay(3.21), '3.2 s'],
    [format.duration(0.5), '0 s'], [format.duration(61), '1 min 1 s'], [format.duration(3600), '1 h'], [format.duration(90061), '1 d 1 h'],
    [format.heading('object_classname'), 'Class'], [format.heading('caller_props_index'), 'index (call)'], [format.heading('constructor'), 'constructor'],
    [format.shortPath('/a/b/c/d/e.js'), '…/c/d/e.js'], [format.shortPath('/a/b.js'), '/a/b.js']
  ]
  for (const [found, expected] of table) assert.equal(found, expected)
})

test('a name is printed on one line and invisible characters are escaped', () => {
  const table = [
    ['Hypercore', 'Hypercore'],
    ['a\n\t\r\0b', 'a\\n\\t\\r\\u{0}b'],
    ['\u202egnp.exe', '\\u{202e}gnp.exe'],
    ['a\u200bb\u2028\u2066\ufeff', 'a\\u{200b}b\\u{2028}\\u{2066}\\u{feff}'],
    ['עברית', 'עברית'],
    ['\ud800', '\\u{d800}'],
    ['x'.repeat(200), 'x'.repeat(159) + '…'],
    ['x'.repeat(158) + '😀' + 'x'.repeat(50), 'x'.repeat(158) + '\ufffd…']
  ]
  for (const [name, shown] of table) assert.equal(format.printable(name), shown)
})

test('drilling down adds filters until no label is left', () => {
  const labels = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname', 'object_id', 'parent_object_id', 'caller_props_index']
  const first = view.viewsOf(labels, view.INITIAL, String)
  assert.deepEqual(first.map(({ id }) => id), ['function', 'site', 'object', 'parent', 'caller_props_index'])

  const second = view.drillDown(view.INITIAL, first[0].by, { object_classname: 'A', caller_functionname: 'f' }, labels)
  assert.deepEqual(second, { view: 'site', sort: view.INITIAL.sort, filters: [['object_classname', 'A'], ['caller_functionname', 'f']] })
  const [site] = view.viewsOf(labels, second, String)
  assert.deepEqual(site.by, ['caller_filename', 'id'], 'a label with a filter has no column')

  const third = view.drillDown(second, site.by, { caller_filename: 'a.js' }, labels)
  assert.deepEqual(third.filters.at(-1), ['id', ''], 'an absent id is also a filter')
  assert.equal(third.view, 'object')
  let state = third
  const seen = []
  while (state !== null) {
    seen.push(state.view)
    const by = view.viewsOf(labels, state, String).find(({ id }) => id === state.view).by
    state = view.drillDown(state, by, {}, labels)
  }
  assert.deepEqual(seen, ['object', 'parent', 'caller_props_index'])
  const withoutObjects = labels.filter((label) => label !== 'object_id')
  assert.ok(!view.viewsOf(withoutObjects, view.INITIAL, String).some(({ id }) => id === 'object'), 'no view of objects without their ids')
  assert.equal(view.drillDown(view.INITIAL, ['id'], { id: 'x'.repeat(9000) }, labels), null)
  assert.equal(view.drillDown(view.INITIAL, ['object_classname'], { hypertrace_overflow: 'true' }, labels), null)
})

test('the URL holds the state', () => {
  const state = { view: 'site', sort: { column: 'rate', descending: true }, filters: [['object_classname', 'A & "B"#\u202e'], ['id', '']] }
  assert.deepEqual(view.fromHash(view.toHash(state)), state)
  assert.equal(view.toHash(view.INITIAL), '#')
  assert.deepEqual(view.fromHash(''), view.INITIAL)
  for (const [sort, hash] of [[{ column: 'id', descending: false }, '#?sort=id'], [{ column: 'value', descending: false }, '#?sort=value']]) {
    const sorted = { ...view.INITIAL, sort }
    assert.equal(view.toHash(sorted), hash)
    assert.deepEqual(view.fromHash(hash), sorted)
  }
  assert.equal(view.fromHash('#calls'), null)
  const query = new URLSearchParams(view.queryOf(['id'], state.filters, 100))
  assert.deepEqual([...query], [['by', 'id'], ['limit', '100'], ...state.filters])
})

test('the delay is a second while visible, longer while hidden or failing', () => {
  const table = [[0, false, 1000], [0, true, 10_000], [1, false, 1000], [2, false, 2000], [3, false, 4000], [9, false, 10_000], [9, true, 10_000]]
  for (const [failures, hidden, wait] of table) assert.equal(poll.delayOf(failures, hidden), wait, `${failures} ${hidden}`)
})

test('a scale ends at the next round number', () => {
  for (const [max, end] of [[0, 1], [NaN, 1], [1, 1], [1.01, 1.5], [260, 300], [0.0012, 0.0015], [9.5, 10], [1e9, 1e9]]) {
    assert.ok(Math.abs(chart.scaleEnd(max) - end) < 1e-9 * end, `${max}: ${chart.scaleEnd(max)}`)
  }
  assert.equal(chart.windowOf(9.5, 10), 1, 'at least a second')
  assert.equal(chart.windowOf(0, 10), 10, 'not more than there is')
  assert.equal(chart.windowOf(0, 100), 100)
  assert.equal(chart.windowOf(0, 1000), history.WINDOW)
})

test('a line is interrupted at gaps, and a single point is a dot', () => {
  const points = [{ t: 0, v: 1 }, { t: 1, v: 2 }, { t: 2, v: null }, { t: 3, v: 4 }, { t: 4, v: null }, { t: 5, v: null }]
  const { line, area } = chart.paths(points, (t) => t, (v) => v, 9)
  assert.equal(line, 'M0.0 1.0L1.0 2.0M3.0 4.0h0')
  assert.equal(area, 'M0.0 9L0.0 1.0L1.0 2.0L1.0 9ZM3.0 9L3.0 4.0L3.0 9Z')
})

test('the mean of a long time is a horizontal line, which does not cover a gap', () => {
  const same = (value) => value
  const afterPoint = [{ t: 0, v: 1, span: 5 }, { t: 10, v: 3, span: 10 }]
  assert.equal(chart.paths(afterPoint, same, same, 9).line, 'M0.0 1.0L0.0 3.0L10.0 3.0')
  const afterGap = [{ t: 0, v: 1, span: 5 }, { t: 4, v: null }, { t: 14, v: 3, span: 60 }]
  assert.equal(chart.paths(afterGap, same, same, 9).line, 'M0.0 1.0h0M4.0 3.0L14.0 3.0h0')
})
