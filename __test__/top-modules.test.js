'use strict'

// Tests the pure modules of `top`: the command line, the state, and the lines of a screen of any size.

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { parseAddress } = require('../lib/top/address')
const { OPTIONS, parseArguments } = require('../lib/top/arguments')
const format = require('../lib/top/format')
const { pressed } = require('../lib/top/keys')
const { answered, failed, initialState } = require('../lib/top/model')
const { screen, snapshot, tableRows } = require('../lib/top/screen')
const { resample, spark } = require('../lib/top/spark')
const { frame } = require('../lib/top/terminal')
const { cut, printable, toAscii, widthOf, wrap } = require('../lib/top/text')
const { TREND_ROWS, VIEWS } = require('../lib/top/views')
const readme = require('./support/readme')

const NOW = 1_760_000_300

const STALL = {
  startTimeSeconds: NOW - 60,
  seconds: 3.1,
  calls: 70_001,
  rows: [{ labels: { object_classname: 'Worker', caller_functionname: 'crunch' }, calls: 70_000 }]
}

/** An answer with these rows: class, function and calls. */
function answerOf (rows, { stalls = [], rate = 100, windowSeconds = 5, uptimeSeconds = 60, order = 'rate', ...more } = {}) {
  const calls = [null, 1, 2]
  const history = { stepSeconds: 1, endTimeSeconds: NOW, points: { calls, cpuSeconds: calls.map((value) => value && 0.25) }, rows: [], stalls }
  return {
    summary: {
      version: '2.0.0',
      startTimeSeconds: 1,
      uptimeSeconds,
      labels: ['object_classname', 'caller_functionname', 'caller_filename', 'id', 'parent_object_classname', 'object_id', 'parent_object_id'],
      defaultLabels: { app: 'chat' },
      series: { used: rows.length, limit: 50_000 },
      calls: { total: 1000, matched: 1000, rate },
      windowSeconds,
      by: ['object_classname', 'caller_functionname'],
      order,
      rows: rows.map(([className, functionName, value]) => ({
        labels: { object_classname: className, caller_functionname: functionName }, value, ...(rate === null ? {} : { rate: value / 10 })
      })),
      other: { groups: 0, value: 0 },
      eventLoop: { answering: true, lagSeconds: 0.001 },
      process: { name: 'app.js', pid: 4711, nodeVersion: 'v22.12.0', threads: 2, heapUsedBytes: 12_345_678, residentMemoryBytes: 91_234_567 }
    },
    course: history,
    trends: { ...history, rows: rows.map(([className, functionName]) => ({ labels: { caller_functionname: functionName, object_classname: className }, calls })) },
    ...more
  }
}

const start = (settings = {}) => initialState({
  base: 'http://localhost:4343/', insecure: false, settings: { order: 'rate', window: 5, search: '', view: VIEWS[0], ...settings }
})

const textOf = (lines) => lines.map(({ text }) => text).join('\n')

test('top: a url may be a host, a port or a whole url, and its credentials are taken from it', () => {
  const cases = [
    ['http://localhost:4343', 'http://localhost:4343/'],
    ['https://host/prefix/metrics', 'https://host/prefix/'],
    ['http://host/prefix?x#y', 'http://host/prefix/'],
    ['host', 'http://host:4343/'],
    ['host:80', 'http://host/'],
    ['host:5000/metrics', 'http://host:5000/'],
    ['5000', 'http://localhost:5000/'],
    [':5000', 'http://localhost:5000/'],
    ['[::1]', 'http://[::1]:4343/'],
    ['[::1]:5000', 'http://[::1]:5000/'],
    ['127.0.0.1', 'http://127.0.0.1:4343/']
  ]
  for (const [text, base] of cases) assert.deepEqual(parseAddress(text, false), { base, credentials: null }, text)
  assert.equal(parseAddress('host', true).base, 'https://host:4343/')
  assert.deepEqual(parseAddress('https://me:p%3A%20w@host', false), { base: 'https://host/', credentials: { name: 'me', password: 'p: w' } })
  assert.deepEqual(parseAddress('me:pw@host', false), { base: 'http://host:4343/', credentials: { name: 'me', password: 'pw' } })
  for (const text of ['', 'ftp://host', 'http://', 'a b', 'file:///x', 'http://%ff:x@host', 'host:99999']) assert.equal(parseAddress(text, false), null, text)
})

test('top: settings come from the command line and the environment', () => {
  const { base, settings, authorization, once, color } = parseArguments([], {})
  assert.deepEqual([base, settings, authorization, once, color], ['http://localhost:4343/', { order: 'rate', window: 5, search: '', view: VIEWS[0] }, null, false, true])
  const given = parseArguments(['--once', '--sort=total', '--window', '60', '--by', 'object_classname', '--search', 'get', '--insecure', 'host'], { NO_COLOR: '1' })
  assert.deepEqual([given.base, given.once, given.color, given.insecure], ['https://host:4343/', true, false, true])
  assert.deepEqual(given.settings, { order: 'total', window: 60, search: 'get', view: VIEWS[2] })
  assert.equal(typeof parseArguments(['-h'], {}), 'string')

  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`
  const header = (argv, env = {}) => parseArguments(argv, env).authorization
  assert.equal(header(['--user', 'a:b:c']), basic('a:b:c'))
  assert.equal(header(['--bearer', 'abc']), 'Bearer abc')
  assert.equal(header([], { HYPERTRACE_TOP_USER: 'a:b' }), basic('a:b'))
  assert.equal(header([], { HYPERTRACE_TOP_BEARER: 'abc' }), 'Bearer abc')
  assert.equal(header(['--user', 'c:d'], { HYPERTRACE_TOP_BEARER: 'abc' }), basic('c:d'))
  assert.equal(header(['http://x:y@host'], { HYPERTRACE_TOP_USER: 'a:b' }), basic('x:y'))
  assert.equal(header([], { HYPERTRACE_TOP_USER: '', HYPERTRACE_TOP_BEARER: '' }), null)
})

test('top: the help and docs/top.md have each option, and no other', () => {
  const namesIn = (text) => [...new Set([...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name))].sort()
  const names = Object.keys(OPTIONS).sort()
  assert.deepEqual(namesIn(parseArguments(['--help'], {})), names)
  const [, section] = /\n## Options\n([^]*?)\n## /.exec(readme.read('docs/top.md')) ?? []
  assert.deepEqual(namesIn(section), names)
})

test('top: each fault of the command line is explained, without the value of a credential', () => {
  const cases = [
    [['--sot', 'rate'], /no option --sot\. Did you mean --sort\?/],
    [['-x'], /no option -x/],
    [['--sort', 'name'], /--sort must be rate or total/],
    [['--window', '0'], /--window must be a whole number from 1 to 900/],
    [['--rows', '1e3'], /--rows must be a whole number from 1 to 1000/],
    [['--by', ','], /--by needs the names of labels/],
    [['--user', 'secret'], /--user must have the form name:password/],
    [['--user', 'a:secret\n'], /without control characters such as a line feed/],
    [['--bearer', 'secret\n'], /--bearer must have visible ASCII characters only/],
    [['--user', 'a:secret', '--bearer', 'secret'], /--user or --bearer, not both/],
    [['--user'], /--user needs a value/],
    [['--once=secret'], /--once takes no value/],
    [['--cert', 'file'], /--cert and --key belong together/],
    [['--ca', 'file', 'http://host'], /need a url with https/],
    [['a', 'b'], /one url only/],
    [['ftp://secret'], /not the url of a server/]
  ]
  for (const [argv, message] of cases) {
    assert.throws(() => parseArguments(argv, {}), (error) => message.test(error.message) && !error.message.includes('secret'), argv.join(' '))
  }
  for (const env of [{ HYPERTRACE_TOP_USER: 'secret' }, { HYPERTRACE_TOP_BEARER: 'sec ret' }, { HYPERTRACE_TOP_USER: 'a:b', HYPERTRACE_TOP_BEARER: 'secret' }]) {
    assert.throws(() => parseArguments([], env), (error) => /HYPERTRACE_TOP/.test(error.message) && !/sec ?ret/.test(error.message))
  }
})

test('top: figures and sentences are those of the live page', async () => {
  const live = { ...await import('../src/live/format.mjs'), ...await import('../src/live/sentence.mjs') }
  const numbers = [null, undefined, NaN, 0, 0.0000123, 0.00123, 0.5, 0.99, 1, 9.96, 12.34, 99.9, 100, 1234.5, 70_000, 1e6, 123_456_789, 1e12]
  for (const name of ['count', 'rate', 'percent', 'bytes', 'delay', 'duration', 'clockTime']) {
    for (const number of numbers) assert.equal(format[name](number), live[name](number), `${name} of ${number}`)
  }
  assert.equal(format.clockTime(1e300), '–')
  const stalls = [
    STALL, { ...STALL, worker: 3 }, { ...STALL, ongoing: true }, { ...STALL, rows: [] }, { ...STALL, rows: [], calls: 0 },
    { ...STALL, rows: [{ labels: { caller_filename: '/a/b/c/d/e.js', id: '7', parent_object_classname: '' }, calls: 1 }] },
    { ...STALL, rows: [{ labels: { hypertrace_overflow: 'true' }, calls: 2 }] }, { ...STALL, rows: [{ labels: {}, calls: 2 }] }
  ]
  for (const stall of stalls) assert.equal(format.stallSentence(stall), live.stallSentence(stall))
  assert.match(format.stallSentence(STALL), /^Blocked for 3\.1 s at \d\d:\d\d:\d\d: Worker\.crunch was called 70,000 times$/)
})

test('top: a printable text has no control character, and its width is in columns', () => {
  const texts = ['\x1b[31m', 'a\r\nb\tc', '\x9b', '\u202e\u2066\u200d\ufeff', 'שלום عربي', '\ud800', '\ue000', '\u3164\u115f', '\u{e0001}', '\u2028']
  for (const text of texts) assert.match(printable(text), /^[\x20-\x7e]*$/, JSON.stringify(text))
  assert.equal(printable('a\u0301\u0301\u0301\u0301b'), 'a\u0301\u0301b')
  assert.equal(printable('é漢🐙'), 'é漢🐙')
  assert.equal(printable('x'.repeat(300)).length, 200)
  assert.equal(printable('🐙'.repeat(200)).isWellFormed(), true)
  for (const [text, width] of [['abc', 3], ['é', 1], ['e\u0301', 1], ['漢字', 4], ['🐙', 2], ['…·→█', 4], ['ｱ', 1], ['Ａ', 2], ['한', 2]]) assert.equal(widthOf(text), width, text)
  for (const [text, columns, result] of [['abc', 3, 'abc'], ['abcd', 3, 'ab…'], ['漢字', 3, '漢…'], ['漢字', 2, '…'], ['abc', 0, ''], ['abc', 1, '…']]) {
    assert.equal(cut(text, columns), result)
  }
  assert.equal(toAscii('a · b… ▁█ é漢🐙'), 'a - b~ _# ???')
  assert.deepEqual(wrap('one two three', 7), ['one two', 'three'])
  assert.deepEqual(wrap('one two three', 3, 2), ['one', 'two three'])
})

test('top: a trend has a character for a step without calls, and a blank for a step that was not measured', () => {
  assert.equal(spark([null, 0, 1, 7, 14], 5), ' ▁▂▅█')
  assert.equal(spark([], 3), '   ')
  assert.equal(spark([null, null], 4), '    ')
  assert.equal(spark([0, 0], 4), '▁▁▁▁')
  assert.deepEqual(resample([1, 3, null, null, 5, null], 3), [2, null, 5])
  assert.deepEqual(resample([1, 2], 4), [1, 1, 2, 2])
})

test('top: no screen has more lines or columns than the terminal', () => {
  const hostile = ['漢字'.repeat(90), '🐙'.repeat(90), '\x1b[2J'.repeat(30), 'x'.repeat(500), 'שלום'.repeat(30)]
  const rows = Array.from({ length: 100 }, (_, index) => [hostile[index % hostile.length], `f${index}`, 10 ** (index % 13)])
  const stalls = Array.from({ length: 9 }, (_, index) => ({ ...STALL, startTimeSeconds: NOW - 100 + index, ongoing: index === 8 || undefined }))
  const full = answered(start({ search: hostile[2] }), answerOf(rows, { stalls }), NOW)
  const states = [start(), full, { ...full, help: true }, { ...full, typing: true }, failed(full, 'a sentence '.repeat(30), NOW), failed(start(), 'x'.repeat(300), NOW), { ...full, paused: true }]
  for (const state of states) {
    for (let columns = 1; columns <= 200; columns += columns < 12 ? 1 : 23) {
      for (const height of [1, 2, 3, 5, 9, 10, 13, 14, 22, 24, 30, 50]) {
        const lines = screen(state, { columns, rows: height }, NOW)
        assert.equal(lines.length, height)
        for (const { text } of lines) {
          assert.ok(widthOf(text) <= columns, `${columns}: ${text}`)
          assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\u0590-\u05ff]/u)
        }
        assert.ok(tableRows(state, { columns, rows: height }) >= 1)
      }
    }
  }
})

test('top: a screen has the process, the figures with their times, the stalls and the rows', () => {
  const state = answered(start(), answerOf([['Hypercore', 'get', 900], ['Hypercore', 'append', 100]], { stalls: [STALL] }), NOW)
  const text = textOf(screen(state, { columns: 100, rows: 24 }, NOW))
  assert.match(text, /app\.js · pid 4711 · Node\.js v22\.12\.0 · hypertrace-prometheus 2\.0\.0 · 2 threads · up 1 min · app=chat\n/)
  assert.match(text, /Calls +100\/s \(mean of 5 s\) +1,000 in all .* last 60 s/)
  assert.match(text, /Event loop +responds, lag 1 ms +CPU 25 % \(last step\)/)
  assert.match(text, /heap 12\.3 MB +memory 91\.2 MB +series 2 of 50,000/)
  assert.match(text, /Stalls +1 in the last 15 min:\n +Blocked for 3\.1 s at \d\d:\d\d:\d\d: Worker\.crunch was called 70,000 times/)
  assert.match(text, /Functions by calls\/s · 1 to 2 of 2\n +calls\/s +% of \/s +calls +last 60 s +class\.function\n +90 +90 % +900 .* Hypercore\.get\n +10 +10 % +100 .* Hypercore\.append/)

  const now = answered(state, answerOf([], { stalls: [{ ...STALL, startTimeSeconds: NOW - 1, seconds: 1, ongoing: true }] }), NOW)
  assert.match(textOf(screen(now, { columns: 100, rows: 24 }, NOW)), /STALL NOW: Blocked for 1 s since .*Worker\.crunch was called 70,000 times\nStalls +1 in the last 15 min:/)
  const old = failed(now, 'Nothing listens.', NOW + 5)
  assert.match(textOf(screen(old, { columns: 100, rows: 24 }, NOW)), /NO ANSWER since .*\. Trying again\. The figures are those of .*\nNothing listens\./)

  const long = 'Class'.repeat(20)
  assert.ok(textOf(snapshot(answered(start(), answerOf([[long.slice(0, 60), long.slice(0, 60), 1]]), NOW), 5, NOW)).includes(`${long.slice(0, 60)}.${long.slice(0, 60)}`))
})

test('top: with `cluster`, a screen has the number of processes, those that did not respond, and the process of each stall', () => {
  const answer = answerOf([['A', 'b', 1]], { stalls: [{ ...STALL, process: 2 }, { ...STALL, process: 3, ongoing: true }] })
  Object.assign(answer.summary, { processes: [{}, {}], absentProcesses: [4, 7], labels: [...answer.summary.labels, 'process'] })
  answer.summary.process.pid = null
  const state = answered(start(), answer, NOW)
  const text = textOf(screen(state, { columns: 100, rows: 30 }, NOW))
  assert.match(text, /app\.js · 2 processes · /)
  assert.match(text, /NO ANSWER of process 4, 7: no figure contains its calls/)
  assert.match(text, /STALL NOW: Process 3: Blocked for[^]*\n +Process 2: Blocked for/)
  assert.deepEqual(pressed(state, '6', {}, 10).state.settings.view.by, ['process'])
})

test('top: the screen without styles has the same text', () => {
  const state = answered(start(), answerOf([['A', 'b', 1]], { stalls: [{ ...STALL, ongoing: true }] }), NOW)
  const lines = screen(failed(state, 'Gone.', NOW), { columns: 100, rows: 30 }, NOW)
  // eslint-disable-next-line no-control-regex
  const plain = (/** @type {string} */ text) => text.replace(/\x1b\[[\d;]*m/g, '')
  const colored = frame(lines, { color: true, unicode: true })
  assert.ok(colored.includes('\x1b[1;31mSTALL NOW'))
  assert.equal(plain(colored), frame(lines, { color: false, unicode: true }))
})

test('top: stalls of earlier answers stay for 15 minutes; a stall that the last answer does not contain as ongoing has ended', () => {
  const ongoing = { ...STALL, ongoing: true }
  let state = answered(start(), answerOf([], { stalls: [ongoing] }), NOW)
  assert.deepEqual(state.stalls, [ongoing])
  state = answered(state, answerOf([], { stalls: [] }), NOW)
  assert.deepEqual(state.stalls, [STALL])
  state = answered(state, answerOf([], { stalls: [{ ...STALL, seconds: 4 }, { ...STALL, worker: 1 }] }), NOW)
  assert.deepEqual(state.stalls.map(({ seconds, worker }) => [seconds, worker]), [[4, undefined], [3.1, 1]])
  const later = answerOf([])
  later.course.endTimeSeconds = NOW + 843.5
  assert.equal(answered(state, later, NOW).stalls.length, 1)
})

test('top: rates that the recorder does not have are computed from the difference between two answers', () => {
  const without = (value, uptimeSeconds, more = {}) => answerOf([['A', 'b', value]], { rate: null, windowSeconds: null, uptimeSeconds, ...more })
  const first = answered(start(), without(10, 60), NOW)
  assert.equal(first.answer.summary.rows[0].rate, undefined)
  const second = answered(first, without(30, 64), NOW)
  assert.deepEqual([second.answer.summary.rows[0].rate, second.answer.summary.windowSeconds], [5, 4])
  // After a restart of the process, the values begin at 0.
  const restarted = without(5, 1)
  restarted.summary.startTimeSeconds = 2
  assert.equal(answered(second, restarted, NOW).answer.summary.rows[0].rate, undefined)
})

test('top: a row without a trend had no calls; if the list of trends is cut, the calls of the row are unknown', () => {
  const answer = answerOf([['A', 'b', 1]])
  answer.trends.rows = []
  const trendOf = (trends) => textOf(snapshot(answered(start(), { ...answer, trends }, NOW), 5, NOW)).split('\n').at(-1)
  assert.match(trendOf(answer.trends), /▁/)
  assert.doesNotMatch(trendOf({ ...answer.trends, rows: Array.from({ length: TREND_ROWS }, (_, id) => ({ labels: { id: `${id}` }, calls: [] })) }), /▁/)
  assert.doesNotMatch(trendOf(null), /▁/)
})

test('top: each key changes the state as the help says', () => {
  const state = answered(start(), answerOf(Array.from({ length: 60 }, (_, index) => ['A', `f${index}`, 1])), NOW)
  const press = (from, text, key = {}) => pressed(from, text, key, 10)
  assert.equal(press(state, 'q').effect, 'quit')
  assert.equal(press(state, '\x03', { ctrl: true, name: 'c' }).effect, 'quit')
  assert.equal(press(state, '\x1a', { ctrl: true, name: 'z' }).effect, 'suspend')
  assert.deepEqual(press(state, 's').state.settings.order, 'total')
  assert.equal(press(press(state, 's').state, 's').state.settings.order, 'rate')
  assert.equal(press(state, 'w').state.settings.window, 30)
  assert.equal(press({ ...state, settings: { ...state.settings, window: 900 } }, 'w').state.settings.window, 1)
  assert.equal(press(state, 'g').state.settings.view, VIEWS[1])
  assert.equal(press(state, 'G').state.settings.view.name, 'Objects')
  assert.equal(press(state, '6').state, state) // the server has no processes
  assert.equal(press(state, '9').state, state)
  assert.equal(press(state, 'x').state, state)

  const paused = press(state, 'p')
  assert.deepEqual([paused.state.paused, paused.effect], [true, 'none'])
  assert.equal(press(paused.state, ' ').effect, 'ask')

  const down = press(state, undefined, { name: 'pagedown' }).state
  assert.equal(down.offset, 10)
  assert.equal(press({ ...down, offset: 45 }, undefined, { name: 'pagedown' }).state.offset, 50)
  assert.equal(press(down, undefined, { name: 'home' }).state.offset, 0)
  assert.equal(press(state, undefined, { name: 'up' }).state.offset, 0)
  assert.equal(press(down, 's').state.offset, 0)

  let typing = press(state, '/').state
  for (const text of ['g', 'e', 'q', '🐙']) typing = press(typing, text).state
  assert.equal(typing.settings.search, 'geq🐙')
  typing = press(typing, '\x7f', { name: 'backspace' }).state
  assert.equal(press(typing, '\x1b[A', { name: 'up' }).state, typing)
  assert.equal(typing.settings.search, 'geq')
  const done = press(typing, '\r', { name: 'return' }).state
  assert.deepEqual([done.typing, done.settings.search], [false, 'geq'])
  assert.equal(press(done, undefined, { name: 'escape', meta: true }).state.settings.search, '')
  assert.deepEqual(press(typing, undefined, { name: 'escape', meta: true }).state.settings.search, '')
  assert.equal(press(typing, '\x03', { ctrl: true, name: 'c' }).effect, 'quit')

  const help = press(state, '?').state
  assert.equal(help.help, true)
  assert.equal(press(help, 's').state.help, false)
  assert.equal(press(help, 's').state.settings, state.settings)
})
