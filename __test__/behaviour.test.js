'use strict'

/*
 * Tests the behaviour of 1.0.0 that applications rely on: the endpoint, the page, and the labels of calls through hypertrace.
 * `labels.test.js` tests the label rules in detail.
 */

const { test, describe, afterEach } = require('node:test')
const assert = require('node:assert/strict')
const { setTraceFunction, clearTraceFunction, createTracer } = require('hypertrace')
const { createExporters, labelSets } = require('./support/exporters')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { parse } = require('./support/exposition')
const { countsOf, total } = require('./support/differences')

const HELP = '# HELP trace_counter Counts how many times a function has been traced'
const TYPE = '# TYPE trace_counter counter'

const { start, stopAll } = createExporters()

/** Starts an exporter that hypertrace calls, on a free port. */
function startTracing (options) {
  const traceFunction = start({ port: 0, ...options })
  setTraceFunction(traceFunction)
  return traceFunction
}

afterEach(async () => {
  clearTraceFunction()
  await stopAll()
})

const page = async (traceFunction) => (await get({ port: traceFunction.address().port })).body

class Parent {
  constructor (props) { this.tracer = createTracer(this, { props }) }
}

class Child {
  constructor (parent, props) { this.tracer = createTracer(this, { parent: parent?.tracer, props }) }
  work (...args) { this.tracer.trace(...args) }
}

describe('the endpoint', () => {
  test('serves the counter at /metrics with the content type of the text format', async () => {
    const traceFunction = start({ port: 0, collectDefaults: true })
    const { status, headers, body } = await get({ port: traceFunction.address().port })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(traceFunction.contentType, headers['content-type'])
    assert.ok(body.startsWith(`${HELP}\n${TYPE}\n`))
  })

  test('does not answer after stop()', async () => {
    const traceFunction = start({ port: 0 })
    const { port } = traceFunction.address()
    assert.equal((await get({ port })).status, 200)
    const stopped = traceFunction.stop()
    await assert.rejects(get({ port }))
    await stopped
    await assert.rejects(get({ port }), { code: 'ECONNREFUSED' })
  })

  test('can be started again on the port that stop() released', async () => {
    const first = start({ port: 0 })
    const { port } = first.address()
    await first.stop()
    start({ port })
    assert.equal((await get({ port })).status, 200)
  })

  test('does not exist without a port, and metrics() returns the page', async () => {
    const traceFunction = start({})
    assert.equal(traceFunction.address(), null)
    traceFunction(payload())
    const text = await traceFunction.metrics()
    assert.ok(text.startsWith(`${HELP}\n${TYPE}\ntrace_counter{`))
  })

  test('serves the page that metrics() returns', async () => {
    const traceFunction = start({ port: 0 })
    for (let id = 0; id < 20; id++) traceFunction(payload({ object: { id } }))
    assert.equal(await page(traceFunction), await traceFunction.metrics())
  })
})

describe('the page', () => {
  test('has only the lines HELP and TYPE without series and default metrics', async () => {
    const body = await page(start({ port: 0 }))
    assert.deepEqual(body.split('\n'), [HELP, TYPE, ''])
  })

  test('has the default metrics after the counter, by default and with collectDefaults: true', async () => {
    for (const collectDefaults of [true, undefined]) {
      const traceFunction = start({ port: 0, collectDefaults })
      traceFunction(payload())
      const body = await page(traceFunction)
      assert.ok(body.split('\n')[2].startsWith('trace_counter{'))
      assert.ok(parse(body).has('process_cpu_user_seconds_total'))
      assert.ok(parse(body).has('nodejs_version_info'))
    }
  })

  test('has no default metrics with collectDefaults: false', async () => {
    const body = await page(start({ port: 0, collectDefaults: false }))
    assert.deepEqual([...parse(body).keys()], ['trace_counter'])
  })

  test('has its first series on the third line, which ends in a whole number', async () => {
    const traceFunction = startTracing({ collectDefaults: true })
    const child = new Child()
    child.work()
    assert.match((await page(traceFunction)).split('\n')[2], /^trace_counter\{.*\} 1$/)
    child.work()
    assert.match((await page(traceFunction)).split('\n')[2], /^trace_counter\{.*\} 2$/)
  })

  test('shows every call that was made before', async () => {
    const traceFunction = start({ port: 0 })
    for (let calls = 1; calls <= 30; calls++) {
      traceFunction(payload())
      assert.equal(total(countsOf(await page(traceFunction))), calls)
    }
  })
})

describe('the labels of a call through hypertrace', () => {
  test('name the object, the calling function and file, and the id', async () => {
    const traceFunction = startTracing()
    new Child().work('some-id')
    const [labels] = await labelSets(traceFunction)
    assert.deepEqual(Object.keys(labels).sort(), ['caller_filename', 'caller_functionname', 'id', 'object_classname', 'object_id'])
    assert.equal(labels.object_classname, 'Child')
    assert.match(labels.object_id, /^[1-9][0-9]*$/)
    assert.equal(labels.caller_functionname, 'work')
    assert.equal(labels.caller_filename, __filename)
    assert.equal(labels.id, 'some-id')
  })

  test('name no parent if there is none', async () => {
    const traceFunction = startTracing()
    new Child().work()
    const [labels] = await labelSets(traceFunction)
    assert.deepEqual(Object.keys(labels).filter((name) => name.startsWith('parent')), [])
  })

  test('name the parent', async () => {
    const traceFunction = startTracing()
    const parent = new Parent()
    new Child(parent).work()
    const [labels] = await labelSets(traceFunction)
    assert.equal(labels.parent_object_classname, 'Parent')
    assert.equal(labels.parent_object_id, String(parent.tracer.objectId))
  })

  test('follow setParent, also back to no parent', async () => {
    const traceFunction = startTracing()
    const [first, second] = [new Parent(), new Parent()]
    const child = new Child(first)
    for (const parent of [first, second, null, second, first, first]) {
      child.tracer.setParent(parent?.tracer)
      child.work('again')
    }
    const counts = parse(await traceFunction.metrics()).get('trace_counter').samples
      .map(({ labels, value }) => [labels.parent_object_id, value])
    assert.deepEqual(counts, [
      [String(first.tracer.objectId), 3],
      [String(second.tracer.objectId), 2],
      [undefined, 1]
    ])
  })

  test('have the allowed props of the call, the object and the parent, each with its prefix', async () => {
    const traceFunction = startTracing({ allowedProps: ['foo'] })
    new Child(new Parent({ foo: 'of the parent' }), { foo: 'of the object' }).work({ foo: 42 })
    const [labels] = await labelSets(traceFunction)
    assert.equal(labels.parent_object_props_foo, 'of the parent')
    assert.equal(labels.object_props_foo, 'of the object')
    assert.equal(labels.caller_props_foo, '42')
  })

  test('have no prop that is not allowed', async () => {
    const traceFunction = startTracing({ allowedProps: ['allowed'] })
    new Child(new Parent({ other: 1 }), { allowed: 2, other: 3 }).work({ other: 4 })
    const [labels] = await labelSets(traceFunction)
    assert.deepEqual(Object.keys(labels).filter((name) => name.includes('props')), ['object_props_allowed'])
  })

  test('follow a prop of the object that changes', async () => {
    const traceFunction = startTracing({ allowedProps: ['state'] })
    const props = { state: 'opening' }
    const child = new Child(null, props)
    child.work('x')
    props.state = 'open'
    child.work('x')
    assert.deepEqual((await labelSets(traceFunction)).map((labels) => labels.object_props_state), ['opening', 'open'])
  })

  test('are the same for two call sites in one function: one series', async () => {
    const traceFunction = startTracing()
    const child = new Child()
    function here () { child.tracer.trace(); child.tracer.trace() }
    here()
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [2])
  })

  test('are the same for two classes of one name: one series', async () => {
    const traceFunction = startTracing()
    const copies = [0, 1].map(() => class Twin {
      constructor () { this.tracer = createTracer(this) }
      work () { this.tracer.trace('x') }
    })
    for (const Twin of copies) new Twin().work()
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [2])
  })
})

describe('the options', () => {
  test('may be left out altogether', async () => {
    const traceFunction = start()
    traceFunction(payload())
    assert.equal(total(countsOf(await traceFunction.metrics())), 1)
  })

  test('that are unknown are ignored', async () => {
    const traceFunction = start({ server: {}, somethingElse: 1 })
    assert.ok((await traceFunction.metrics()).startsWith(HELP))
  })
})
