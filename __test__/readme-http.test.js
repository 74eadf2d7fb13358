'use strict'

// Compares docs/http-interface.md with the server.

const assert = require('node:assert/strict')
const test = require('node:test')

const HypertracePrometheus = require('..')
const { get } = require('./support/http')
const readme = require('./support/readme')

const DOCUMENT = 'docs/http-interface.md'
const LIMIT = { timeout: 30_000 }

/** Removes the marks of code from a cell of a table. */
const plain = (cell) => cell.replaceAll('`', '')

/** Returns the names in a list of code words, such as "`a.b`, `a.c`". */
const namesIn = (cell) => cell.split(', ').map(plain)

/** Starts a server with calls of this number of functions, and returns a function that sends a request to it. */
function serve (t, functions, options = {}) {
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1', allowedProps: ['a', 'b'], ...options })
  t.after(() => traceFunction.stop())
  for (let n = 0; n < functions; n++) {
    traceFunction({
      id: 'id',
      object: { className: 'A', id: 1, props: null },
      caller: { functionName: `f${n}`, filename: '/a.js', props: null }
    })
  }
  const { port } = traceFunction.address()
  return (path, more) => get({ port, host: '127.0.0.1', path, ...more })
}

async function summaryOf (ask, query = '') {
  const { status, body } = await ask(`/summary.json${query}`)
  assert.equal(status, 200, `${query}: ${body}`)
  return JSON.parse(body)
}

test('http interface: every path answers with its content type', LIMIT, async (t) => {
  const ask = serve(t, 1)
  const rows = readme.table(DOCUMENT, 'Paths')
  assert.equal(rows.length, 5)
  for (const [path, , type] of rows) {
    const { status, headers } = await ask(plain(path))
    assert.deepEqual([status, headers['content-type']], [200, plain(type)], path)
  }
})

test('http interface: every format has its content type and its header Vary', LIMIT, async (t) => {
  const ask = serve(t, 1)
  const formats = readme.table(DOCUMENT, '/metrics').map(([, type]) => plain(type))
  assert.equal(formats.length, 2)
  for (const type of formats) {
    const { headers } = await ask('/metrics', { headers: { accept: `${type}, text/plain; q=0.5` } })
    assert.deepEqual([headers['content-type'], headers.vary], [type, 'Accept, Accept-Encoding'])
  }
})

test('http interface: a request gets the status that the table has for its case', LIMIT, async (t) => {
  const statuses = readme.table(DOCUMENT, 'Status codes').flatMap(([cell]) => cell.split(', ')).map(Number)
  assert.deepEqual(statuses, [200, 204, 400, 401, 403, 404, 405, 414, 431, 429, 500, 503])

  const open = serve(t, 1)
  const closed = serve(t, 1, { auth: { bearer: 'token' } })
  const long = 'x'.repeat(20_000)
  for (const [expected, ask, path, more] of /** @type {[number, typeof open, string, any][]} */ ([
    [204, open, '/metrics', { method: 'OPTIONS' }],
    [400, open, '/summary.json?limit=0', {}],
    [401, closed, '/metrics', {}],
    [401, closed, '/nope', {}],
    [403, open, '/metrics', { headers: { host: 'other.example', 'sec-fetch-mode': 'cors' } }],
    [404, open, '/metrics/', {}],
    [405, open, '/metrics', { method: 'POST' }],
    [431, open, '/metrics', { headers: { cookie: long } }]
  ])) {
    const { status, body } = await ask(path, more)
    assert.equal(status, expected, path)
    if (status >= 400) assert.equal(/^.+\n$/.test(body), status !== 431, `${status}: ${body}`)
  }
})

test('http interface: the parameters of /summary.json have the ranges and defaults of the table', LIMIT, async (t) => {
  const rows = new Map(readme.table(DOCUMENT, 'Parameters').map(([name, value, fallback]) => [plain(name), { value, fallback: plain(fallback) }]))
  const ask = serve(t, 60)
  const { labels, by, rows: groups } = await summaryOf(ask)
  assert.equal(by.join(), rows.get('by').fallback)
  assert.equal(groups.length, Number(rows.get('limit').fallback))

  const [leastBy, mostBy] = rows.get('by').value.match(/\d+/g).map(Number)
  assert.ok(labels.length > mostBy)
  assert.equal((await summaryOf(ask, `?by=${labels.slice(0, mostBy)}`)).by.length, mostBy)
  for (const count of [leastBy - 1, mostBy + 1]) {
    assert.equal((await ask(`/summary.json?by=${labels.slice(0, count)}`)).status, 400)
  }

  const [least, most] = rows.get('limit').value.match(/\d+/g).map(Number)
  assert.equal((await summaryOf(ask, `?limit=${least}`)).rows.length, least)
  assert.equal((await summaryOf(ask, `?limit=${most}`)).rows.length, 60)
  for (const limit of [least - 1, most + 1]) assert.equal((await ask(`/summary.json?limit=${limit}`)).status, 400)
})

test('http interface: the example and the table have the fields of /summary.json', LIMIT, async (t) => {
  const actual = await summaryOf(serve(t, 1, { defaultLabels: { app: 'chat' } }))
  const [example] = readme.blocks().filter(({ document, language }) => document === DOCUMENT && language === 'json')
  assert.deepEqual(fieldsOf(JSON.parse(example.code)), fieldsOf(actual))
  assert.deepEqual(JSON.parse(example.code).labels, actual.labels.filter((name) => !name.includes('_props_')))
  const rows = readme.table(DOCUMENT, 'Response').filter(([, value]) => !value.startsWith('With `cluster`'))
  assert.deepEqual(rows.flatMap(([cell]) => namesIn(cell)).sort(), fieldsOf(actual).sort())
})

test('http interface: the encoding error of /summary.json has the text of the table, and the others name the parameter', LIMIT, async (t) => {
  const ask = serve(t, 1)
  const { body: encoding } = await ask('/summary.json?id=%zz')
  assert.ok(readme.read(DOCUMENT).includes(`| ${encoding.trim()} |`), encoding)
  for (const query of ['id=1&id=2', 'nope=1', 'by=nope', 'limit=x', 'order=x', 'window=x']) {
    const { status, body } = await ask(`/summary.json?${query}`)
    assert.equal(status, 400)
    assert.match(body, /"(id|nope|by|limit|order|window)"/, query)
  }
})

test('http interface: the parameters of /history.json have the ranges and defaults of the table', LIMIT, async (t) => {
  const rows = new Map(readme.table(DOCUMENT, 'Parameters of /history.json').map(([name, value, fallback]) => [plain(name), { value, fallback: plain(fallback) }]))
  const ask = serve(t, 60)
  const status = async (query) => (await ask(`/history.json?${query}`)).status
  const { by, points } = JSON.parse((await ask('/history.json')).body)
  assert.equal(by.join(), rows.get('by').fallback)
  assert.equal(points.calls.length, Number(rows.get('seconds').fallback))
  for (const name of ['seconds', 'limit']) {
    const [least, most] = rows.get(name).value.match(/\d+/g).map(Number)
    assert.deepEqual(await Promise.all([least - 1, least, most, most + 1].map((value) => status(`${name}=${value}`))), [400, 200, 200, 400], name)
  }
})

test('http interface: the example and the table have the fields of /history.json', LIMIT, async (t) => {
  const ask = serve(t, 1)
  const actual = JSON.parse((await ask('/history.json')).body)
  const [, example] = readme.blocks().filter(({ document, language }) => document === DOCUMENT && language === 'json')
  const parsed = JSON.parse(example.code)
  assert.deepEqual(fieldsOf(parsed), fieldsOf(actual))
  const listed = readme.table(DOCUMENT, 'Response of /history.json').flatMap(([cell]) => namesIn(cell))
  assert.deepEqual(listed.sort(), fieldsOf(actual).sort())
  const sums = parsed.points.calls.map((calls, step) => calls === null ? null : parsed.rows[0].calls[step] + parsed.other.calls[step])
  assert.deepEqual(sums, parsed.points.calls)
  assert.equal((await serve(t, 1, { history: 0 })('/history.json')).status, 404)
})

/** Returns the paths of the fields of an object and of the objects in it, but not of objects in lists. */
function fieldsOf (object, prefix = '') {
  return Object.entries(object).flatMap(([name, value]) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? fieldsOf(value, `${prefix}${name}.`) : [`${prefix}${name}`]
  })
}
