'use strict'

/*
 * Tests objects of the user (register, options, certificates, prototypes) that throw, change or have other types. None of them
 * ends the process: an unhandled rejection or an uncaught exception fails the test that runs.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { afterEach, test } = require('node:test')
const { Registry } = require('prom-client')

const HypertracePrometheus = require('..')
const { createExporters } = require('./support/exporters')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')

const { start, stopAll } = createExporters()
afterEach(stopAll)

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const fail = () => { throw new Error('thrown by the register') }

/** Creates a real registry of prom-client with some properties replaced. A getter replaces the value at each read. */
function registryWith (properties) {
  return Object.defineProperties(new Registry(), Object.getOwnPropertyDescriptors(properties))
}

const PAGE = async () => 'own 1\n'

const complete = {
  'without a contentType': { metrics: PAGE, contentType: undefined },
  'with a contentType that is a number': { metrics: PAGE, contentType: 5 },
  'with a contentType that throws': { metrics: PAGE, get contentType () { return fail() } },
  'whose metrics() returns the page, and no promise': { metrics: () => 'own 1\n' },
  'whose metrics() returns a thenable': { metrics: () => ({ then (resolve) { resolve('own 1\n') } }) }
}

for (const [name, properties] of Object.entries(complete)) {
  test(`a register ${name} is served as text`, async () => {
    const { port } = start({ port: 0, host: '127.0.0.1', register: registryWith(properties), collectDefaults: false }).address()
    const { status, headers, body } = await get({ port, host: '127.0.0.1' })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], CONTENT_TYPE)
    assert.match(body, /^own 1$/m)
    assert.match(body, /^hypertrace_scrape_incomplete 0$/m)
  })
}

const incomplete = {
  'resolves to undefined': { metrics: async () => {} },
  'resolves to null': { metrics: async () => null },
  'resolves to a number': { metrics: async () => 5 },
  'resolves to a String object': { metrics: async () => Object('own 1\n') },
  'resolves to an object whose toString throws': { metrics: async () => ({ toString: fail }) },
  rejects: { metrics: async () => fail() },
  'rejects without an error': { metrics: () => Promise.reject() }, // eslint-disable-line prefer-promise-reject-errors
  throws: { metrics: fail },
  'returns a thenable that throws': { metrics: () => ({ then: fail }) },
  'returns a thenable whose then throws when read': { metrics: () => ({ get then () { return fail() } }) },
  'can be read once only': { get metrics () { Object.defineProperty(this, 'metrics', { get: fail }); return PAGE } }
}

for (const [name, properties] of Object.entries(incomplete)) {
  test(`a register whose metrics() ${name} gives a page with only the families that Rust writes, marked incomplete`, async () => {
    const traceFunction = start({ port: 0, host: '127.0.0.1', register: registryWith(properties), collectDefaults: false })
    traceFunction(payload())
    const { port } = traceFunction.address()
    for (let scrape = 0; scrape < 2; scrape++) {
      const { status, body } = await get({ port, host: '127.0.0.1' })
      assert.equal(status, 200)
      const families = parse(body)
      assert.equal(families.get('trace_counter').samples[0].value, 1)
      assert.equal(families.get('hypertrace_scrape_incomplete').samples[0].value, 1)
    }
  })
}

test('metrics() of the trace function rejects if the register throws', async () => {
  const traceFunction = start({ register: registryWith({ metrics: fail }), collectDefaults: false })
  let result
  assert.doesNotThrow(() => { result = traceFunction.metrics() })
  await assert.rejects(result, /thrown by the register/)
})

test('each read of contentType returns the present content type of the register', async () => {
  const register = new Registry()
  const traceFunction = start({ register, collectDefaults: false })
  assert.equal(traceFunction.contentType, register.contentType)
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  assert.equal(traceFunction.contentType, Registry.OPENMETRICS_CONTENT_TYPE)
  assert.ok(Object.keys(traceFunction).includes('contentType'))
})

test('stop() ends the server also if the register cannot remove metrics', async () => {
  const register = registryWith({ removeSingleMetric: fail })
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1', register })
  const { port } = traceFunction.address()
  await traceFunction.stop()
  await assert.rejects(get({ port, host: '127.0.0.1' }), { code: 'ECONNREFUSED' })
})

test('a register that refuses a metric throws at the call, and the port is free at once', async () => {
  const port = await freePort()
  for (let attempt = 0; attempt < 3; attempt++) {
    const register = registryWith({ registerMetric: fail })
    assert.throws(() => HypertracePrometheus({ port, host: '127.0.0.1', register }), /thrown by the register/)
  }
  start({ port, host: '127.0.0.1' })
})

test('each option is read once', () => {
  const reads = {}
  const values = { port: 0, host: '127.0.0.1', metricName: 'other_counter', auth: { username: 'a', password: 'b' }, allowedProps: ['x'] }
  const options = new Proxy(values, {
    get (target, key) {
      reads[key] = (reads[key] ?? 0) + 1
      return reads[key] > 1 ? Symbol('changed') : target[key]
    }
  })
  start(options)
  assert.deepEqual([...new Set(Object.values(reads))], [1])
})

const changing = (first, then) => {
  let reads = 0
  return { get: () => reads++ === 0 ? first : then, enumerable: true }
}

test('an element of a list that changes between two reads does not reach Rust', () => {
  for (const option of ['allowedProps', 'allowedHosts']) {
    const list = Object.defineProperty(['a'], 0, changing('a', 5))
    start({ [option]: list, collectDefaults: false })
  }
})

const notBytes = {
  'an object with the prototype of Uint8Array': () => Object.create(Uint8Array.prototype),
  'a Proxy of a Buffer': () => new Proxy(Buffer.from('x'), {}),
  'another typed array': () => new Uint16Array(4),
  'a DataView': () => new DataView(new ArrayBuffer(4)),
  'an ArrayBuffer': () => new ArrayBuffer(4),
  'a revoked Proxy': () => { const { proxy, revoke } = Proxy.revocable([], {}); revoke(); return proxy }
}

for (const [name, make] of Object.entries(notBytes)) {
  test(`tls.cert: ${name} is refused at the call`, () => {
    assert.throws(() => HypertracePrometheus({ port: 0, tls: { cert: make(), key: 'x' } }), {
      name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: /"tls\.cert" option must be a string or a Buffer/
    })
  })
}

for (const [name, make] of Object.entries({
  detached: () => { const bytes = new Uint8Array(8); structuredClone(bytes, { transfer: [bytes.buffer] }); return bytes },
  shared: () => new Uint8Array(new SharedArrayBuffer(8)),
  'out of bounds': () => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 16 })
    const bytes = new Uint8Array(buffer, 4, 4)
    buffer.resize(0)
    return bytes
  }
})) {
  test(`tls.cert: ${name} memory is an error at the call`, () => {
    assert.throws(() => HypertracePrometheus({ port: 0, tls: { cert: make(), key: 'x' } }), { name: 'TypeError', code: /^ERR_INVALID_ARG_/ })
  })
}

test('fields on Object.prototype change neither the page nor the access', () => {
  const script = `
    const HypertracePrometheus = require(${JSON.stringify(path.join(__dirname, '..'))})
    const { get } = require(${JSON.stringify(path.join(__dirname, 'support', 'http'))})
    for (const name of ['version', 'heap', 'spaces', 'resources', 'gc', 'process', 'eventLoopDelay', 'min', 'external', 'bearer', 'tls', 'ca', 'joinBlocker', 'worker', 'only13']) {
      Object.defineProperty(Object.prototype, name, { value: 'x', configurable: true })
    }
    const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1', auth: { username: 'a', password: 'b', bearer: null }, tls: null, prefix: '', collectDefaults: true })
    const authorization = 'Basic ' + Buffer.from('a:b').toString('base64')
    traceFunction.metrics().then(async (page) => {
      const { status, body } = await get({ port: traceFunction.address().port, host: '127.0.0.1', headers: { authorization } })
      await traceFunction.stop()
      const families = (text) => text.match(/^# TYPE (process|nodejs_heap|nodejs_version)_/gm).length
      console.log(JSON.stringify({ status, families: [families(page), families(body)] }))
    })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 })
  assert.equal(status, 0, stderr)
  const result = JSON.parse(stdout)
  assert.equal(result.status, 200)
  assert.deepEqual(result.families, process.platform === 'linux' ? [15, 15] : [11, 11])
})
