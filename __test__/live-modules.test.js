'use strict'

// Tests the pure functions of the live page: names, the state in the URL, requests, scales.

const assert = require('node:assert/strict')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { before, test } = require('node:test')

const load = (name) => import(pathToFileURL(path.join(__dirname, '..', 'src', 'live', `${name}.mjs`)).href)
const NAMES = ['format', 'poll', 'promql', 'rates', 'requests', 'scale', 'sentence', 'spark', 'view']
let format, poll, promql, rates, requests, scale, sentence, spark, view
before(async () => {
  [format, poll, promql, rates, requests, scale, sentence, spark, view] = await Promise.all(NAMES.map(load))
})

const LABELS = ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname', 'object_id', 'parent_object_id', 'caller_props_index']

test('numbers are formatted with few characters', () => {
  const table = [
    [format.rate(null), '–'], [format.rate(0), '0'], [format.rate(0.042), '0.042'], [format.rate(12.34), '12.3'], [format.rate(123456.7), '123,457'],
    [format.count(225600), '225,600'], [format.count(NaN), '–'],
    [format.percent(0), '0 %'], [format.percent(0.0004), '< 0.1 %'], [format.percent(0.0123), '1.2 %'], [format.percent(0.5), '50 %'], [format.percent(1.5), '150 %'],
    [format.bytes(999), '999 B'], [format.bytes(12345678), '12.3 MB'], [format.bytes(null), '–'],
    [format.delay(0), '0 ms'], [format.delay(0.00001), '< 0.1 ms'], [format.delay(0.0012), '1.2 ms'], [format.delay(0.25), '250 ms'], [format.delay(3.21), '3.2 s'],
    [format.duration(0.5), '0 s'], [format.duration(61), '1 min 1 s'], [format.duration(3600), '1 h'], [format.duration(90061), '1 d 1 h'],
    [format.axisRate(600_000), '600k/s'], [format.axisRate(1_500_000), '1.5M/s'], [format.axisRate(4000), '4,000/s'], [format.axisRate(0.5), '0.5/s'],
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
  const first = view.viewsOf(LABELS, view.INITIAL, String)
  assert.deepEqual(first.map(({ id }) => id), ['function', 'site', 'object', 'parent', 'caller_props_index'])

  const second = view.drillDown(view.INITIAL, first[0].by, { object_classname: 'A', caller_functionname: 'f' }, LABELS)
  assert.deepEqual(second, { ...view.INITIAL, view: 'site', filters: [['object_classname', 'A'], ['caller_functionname', 'f']] })
  const [site] = view.viewsOf(LABELS, second, String)
  assert.deepEqual(site.by, ['caller_filename', 'id'], 'a label with a filter has no column')

  const third = view.drillDown(second, site.by, { caller_filename: 'a.js' }, LABELS)
  assert.deepEqual(third.filters.at(-1), ['id', ''], 'an absent id is also a filter')
  assert.equal(third.view, 'object')
  let state = third
  const seen = []
  while (state !== null) {
    seen.push(state.view)
    const by = view.viewsOf(LABELS, state, String).find(({ id }) => id === state.view).by
    state = view.drillDown(state, by, {}, LABELS)
  }
  assert.deepEqual(seen, ['object', 'parent', 'caller_props_index'])
  const withoutObjects = LABELS.filter((label) => label !== 'object_id')
  assert.ok(!view.viewsOf(withoutObjects, view.INITIAL, String).some(({ id }) => id === 'object'), 'without the ids of objects there is no view of objects')
  assert.equal(view.drillDown(view.INITIAL, ['id'], { id: 'x'.repeat(9000) }, LABELS), null)
  assert.equal(view.drillDown(view.INITIAL, ['object_classname'], { hypertrace_overflow: 'true' }, LABELS), null)
})

test('in a chosen span, drilling down leads to labels of call sites only', () => {
  const chosen = { ...view.INITIAL, span: { from: 1, to: 2 }, filters: [['object_classname', 'A'], ['caller_functionname', 'f']] }
  assert.equal(view.drillDown(chosen, ['caller_filename', 'id'], { caller_filename: 'a.js', id: 'x' }, LABELS), null)
  assert.equal(view.drillDown(view.INITIAL, ['object_classname'], { object_classname: 'A' }, LABELS).view, 'function')
})

test('the URL holds the state', () => {
  const state = {
    view: 'site',
    sort: { column: 'rate', descending: true },
    filters: [['object_classname', 'A & "B"#\u202e'], ['id', '']],
    search: 'a=b&c',
    map: true,
    seconds: 900,
    span: { from: 1760000000.25, to: 1760000003.5 },
    base: { from: 1759999990, to: 1759999993.125 }
  }
  assert.deepEqual(view.fromHash(view.toHash(state)), state)
  assert.equal(view.toHash(view.INITIAL), '#')
  assert.deepEqual(view.fromHash(''), view.INITIAL)
  for (const [sort, hash] of [[{ column: 'id', descending: false }, '#?sort=id'], [{ column: 'value', descending: false }, '#?sort=value']]) {
    const sorted = { ...view.INITIAL, sort }
    assert.equal(view.toHash(sorted), hash)
    assert.deepEqual(view.fromHash(hash), sorted)
  }
  assert.equal(view.fromHash('#calls'), null)
})

test('a wrong value in the URL is ignored', () => {
  for (const hash of ['#?span=3-2', '#?span=x', '#?span=1', '#?seconds=7', '#?base=1-2', '#?show=picture', '#?span=-1-2']) {
    assert.deepEqual(view.fromHash(hash), view.INITIAL, hash)
  }
})

test('a query has the parameters that are set, and the filters', () => {
  const filters = [['object_classname', 'A & "B"'], ['id', '']]
  assert.deepEqual([...new URLSearchParams(view.queryOf({ by: ['id', 'x'], limit: 100, search: '' }, filters))], [['by', 'id,x'], ['limit', '100'], ...filters])
})

/** Returns the requests of a state: the path and the parameters of each. */
function requestsOf (state, by, labels = LABELS) {
  const found = requests.requestsOf({ ...view.INITIAL, ...state }, by, labels, 50, 1000, 5)
  return Object.fromEntries(Object.entries(found).map(([name, [path, query]]) => [name, { path, ...Object.fromEntries(new URLSearchParams(query)) }]))
}

test('the table and the chart request the same rows, in the order of the table', () => {
  const by = ['object_classname', 'caller_functionname']
  const found = requestsOf({ search: 'get', sort: { column: 'rate', descending: true }, filters: [['id', 'x']] }, by)
  const both = { by: by.join(), search: 'get', id: 'x' }
  assert.deepEqual(found, {
    summary: { path: 'summary.json', ...both, limit: '50', order: 'rate', window: '5' },
    history: { path: 'history.json', ...both, seconds: '300', limit: '100' },
    overview: { path: 'history.json', seconds: '300', limit: '1' }
  })
  assert.deepEqual(Object.keys(requestsOf({}, by)), ['summary', 'history'], 'the overview is not requested, because the history has the default labels')
})

test('objects and properties are not recorded: the chart then shows functions', () => {
  const { history, summary } = requestsOf({ search: '7', filters: [['caller_props_index', '1']] }, ['object_classname', 'object_id'])
  assert.deepEqual(history, { path: 'history.json', seconds: '300', by: 'object_classname,caller_functionname', limit: '100' })
  assert.equal(summary.caller_props_index, '1')
})

test('a span requests the recording from its begin, or from the begin of the earlier span', () => {
  const by = ['object_classname', 'caller_functionname']
  assert.equal(requestsOf({ span: { from: 900.5, to: 905 } }, by).span.seconds, '102')
  assert.equal(requestsOf({ span: { from: 900.5, to: 905 }, base: { from: 800, to: 805 } }, by).span.seconds, '202')
  assert.equal(requestsOf({ span: { from: 1, to: 2 } }, by).span.seconds, '900')
})

test('the map requests edges, and with one chosen class it requests the objects of the class', () => {
  const by = ['object_classname', 'caller_functionname']
  assert.equal(requestsOf({ map: true }, by).map.by, 'parent_object_classname,object_classname')
  const one = requestsOf({ map: true, filters: [['object_classname', 'A']] }, by)
  assert.equal(one.objects.by, 'parent_object_classname,parent_object_id,object_classname,object_id')
  assert.equal(one.map, undefined)
  assert.equal(requestsOf({ map: true, filters: [['object_classname', 'A']], span: { from: 1, to: 2 } }, by).map.by, 'parent_object_classname,object_classname')
})

test('filters that are not recorded apply to the map, and leave the chart as it is', () => {
  const filters = [['caller_props_index', '1']]
  const found = requestsOf({ map: true, filters }, ['object_classname', 'caller_functionname'])
  assert.deepEqual(found.objects, { path: 'summary.json', by: 'parent_object_classname,object_classname', limit: '200', caller_props_index: '1' })
  assert.equal(found.history.caller_props_index, undefined)
  assert.equal(requests.isMatching({ filters, search: '' }, ['id']), false)
  assert.equal(requests.isMatching({ filters: [['id', 'x']], search: '' }, ['id']), true)
  assert.equal(requests.isMatching({ filters: [], search: '' }, ['id']), false)
})

test('the delay between requests is a second while the page is visible, and longer while it is hidden or requests fail', () => {
  const table = [[0, false, 1000], [0, true, 10_000], [1, false, 1000], [2, false, 2000], [3, false, 4000], [9, false, 10_000], [9, true, 10_000]]
  for (const [failures, hidden, wait] of table) assert.equal(poll.delayOf(failures, hidden), wait, `${failures} ${hidden}`)
})

test('a scale ends at the next round number', () => {
  for (const [max, end] of [[0, 1], [NaN, 1], [1, 1], [1.01, 1.5], [260, 300], [0.0012, 0.0015], [9.5, 10], [1e9, 1e9]]) {
    assert.ok(Math.abs(scale.scaleEnd(max) - end) < 1e-9 * end, `${max}: ${scale.scaleEnd(max)}`)
  }
})

test('a row keeps its colour while the order of the rows changes', () => {
  const first = scale.coloursOf(new Map(), ['a', 'b', 'c'])
  assert.deepEqual([...first], [['a', 0], ['b', 1], ['c', 2]])
  assert.deepEqual(Object.fromEntries(scale.coloursOf(first, ['c', 'd', 'a'])), { c: 2, a: 0, d: 1 })
})

test('the layers of the chart add up to all calls, and a step that was not measured is a gap', () => {
  const rows = Array.from({ length: 9 }, (_, i) => ({ labels: { id: String(i) }, calls: [null, 10 - i, 1] }))
  const layers = scale.layersOf({ rows, other: { calls: [null, 100, 0] }, stepSeconds: 2 }, 2)
  assert.equal(layers.length, scale.COLOURS + 1)
  assert.deepEqual(layers[0].values, [null, 5, 0.5])
  assert.deepEqual(layers.at(-1).values, [null, (100 + 3 + 2) / 2, 1])
  assert.deepEqual(layers.at(-1).sums, [null, (100 + 54) / 2, 9 / 2])
})

test('colours are mixed', () => {
  assert.equal(scale.mix('rgb(0, 100, 200)', 'rgb(100, 100, 0)', 0.25), 'rgb(75, 100, 50)')
})

test('a line of a row is interrupted at gaps, and a single point is a dot', () => {
  const { line, area } = spark.paths([1, 2, null, 4, null], 4)
  assert.match(line, /^M0\.0 [\d.]+L30\.0 [\d.]+M90\.0 [\d.]+h0$/)
  assert.match(area, /^M0\.0 24L0\.0 [\d.]+L30\.0 [\d.]+L30\.0 24ZM90\.0 24L90\.0 [\d.]+L90\.0 24Z$/)
  assert.deepEqual(spark.sampled([1, 3, null, null, 5, null, 7], 4), [2, null, 5, 7])
  assert.equal(spark.sampled(Array(900).fill(1)).length, 113)
})

test('the PromQL of a row has escaped names', () => {
  const query = promql.promql('trace_counter', [['env', 'a "b"'], ['object_classname', 'C:\\x\ny'], ['id', '']])
  assert.equal(query, 'sum(rate(trace_counter{env="a \\"b\\"",object_classname="C:\\\\x\\ny",id=""}[1m]))')
})

test('the sentence on a stall has its length, its time and the function that was called', () => {
  const stall = { startTimeSeconds: 0, seconds: 3.14, calls: 70_100, rows: [{ labels: { object_classname: 'Worker', caller_functionname: 'crunch' }, calls: 70_000 }] }
  assert.match(sentence.stallSentence(stall), /^Blocked for 3\.1 s at \d\d:\d\d:00: Worker\.crunch was called 70,000 times$/)
  assert.match(sentence.stallSentence({ ...stall, worker: 2, ongoing: true }), /^Worker thread 2 blocked for 3\.1 s since \d\d:\d\d:00: Worker/)
  assert.match(sentence.stallSentence({ ...stall, process: 2 }), /^Process 2 blocked for 3\.1 s at /)
  assert.equal(sentence.stallMessage({ ...stall, process: 2, worker: 1 }), 'The event loop of worker thread 1 of process 2 is blocked: Worker.crunch was called 70,000 times since.')
  assert.match(sentence.stallSentence({ ...stall, calls: 0, rows: [] }), /: no call was traced$/)
  assert.equal(sentence.stallMessage(stall), 'The event loop is blocked: Worker.crunch was called 70,000 times since.')
  assert.equal(sentence.stallMessage({ ...stall, worker: 2, calls: 0, rows: [] }), 'The event loop of worker thread 2 is blocked. No call was traced since.')
})

test('a row has one name, whatever labels it has', () => {
  const table = [
    [{ object_classname: 'A', caller_functionname: 'f' }, 'A.f'],
    [{ caller_functionname: 'f', caller_filename: '/a/b/c/d/e.js', id: '' }, 'f · …/c/d/e.js'],
    [{ id: 'x\u202ey' }, 'x\\u{202e}y'],
    [{ process: '2' }, 'Process 2'],
    [{}, 'none'],
    [{ hypertrace_overflow: 'true' }, 'Overflow']
  ]
  for (const [labels, expected] of table) assert.equal(sentence.titleOf(labels), expected)
})

test('rows that are not recorded have rates from the differences of summaries', () => {
  const objects = new rates.Rates()
  const rows = (a, b) => [{ labels: { object_id: '1' }, value: a }, ...b === undefined ? [] : [{ labels: { object_id: '2' }, value: b }]]
  const key = JSON.stringify([['object_id', '1']])
  objects.add('q', 10, rows(100), 5)
  assert.equal(objects.of(key), null)
  objects.add('q', 12, rows(300, 5), 5)
  assert.equal(objects.of(key), 100)
  objects.add('q', 12.1, rows(900, 5), 5)
  assert.equal(objects.of(key), 100, 'a click between two summaries adds nothing')
  assert.equal(objects.of(JSON.stringify([['object_id', '2']])), null)
  objects.add('q', 20, rows(300, 21), 5)
  assert.equal(objects.of(key), 0, 'the mean of the last seconds')
  objects.add('q', 21, rows(0, 21), 5)
  assert.equal(objects.of(key), null, 'no negative rate after a reset')
  objects.add('other', 22, rows(7), 5)
  assert.equal(objects.of(key), null, 'rows of different queries are not compared')
})
