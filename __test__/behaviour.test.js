'use strict'

/*
 * What the package of this name did at 1.0.0 and what people's dashboards and applications hold on to.
 */

const { test, describe, afterEach } = require('node:test')
const assert = require('node:assert/strict')
const { setTraceFunction, clearTraceFunction, createTracer } = require('hypertrace')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { parse, valueOf } = require('./support/exposition')
const { countsOf, total } = require('./support/differences')
const HypertracePrometheus = require('..')

const HELP = '# HELP trace_counter Counts how many times a function has been traced'
const TYPE = '# TYPE trace_counter counter'

/** @type {ReturnType<typeof HypertracePrometheus>[]} */
let started = []

function start (options) {
  const traceFunction = HypertracePrometheus({ collectDefaults: false, ...options })
  started.push(traceFunction)
  return traceFunction
}

/** An exporter that hypertrace calls, on a port of its own. */
function startTracing (options) {
  const traceFunction = start({ port: 0, ...options })
  setTraceFunction(traceFunction)
  return traceFunction
}

afterEach(async () => {
  clearTraceFunction()
  const stopping = started.map((traceFunction) => traceFunction.stop())
  started = []
  await Promise.all(stopping)
})

/** The labels of every series, in the page's order. */
async function labelSets (traceFunction) {
  return parse(await traceFunction.metrics()).get('trace_counter').samples.map(({ labels }) => labels)
}

/** The labels of the one series that these payloads make. */
async function labelsOf (options, ...payloads) {
  const traceFunction = start(options)
  for (const each of payloads) traceFunction(each)
  const sets = await labelSets(traceFunction)
  assert.equal(sets.length, 1)
  return sets[0]
}

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

  test('answers nothing more once stop() is called', async () => {
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

  test('is not there without a port, and metrics() gives the page all the same', async () => {
    const traceFunction = start()
    assert.equal(traceFunction.address(), null)
    traceFunction(payload())
    const text = await traceFunction.metrics()
    assert.ok(text.startsWith(`${HELP}\n${TYPE}\ntrace_counter{`))
  })

  test('serves what metrics() gives', async () => {
    const traceFunction = start({ port: 0 })
    for (let id = 0; id < 20; id++) traceFunction(payload({ object: { id } }))
    assert.equal(await page(traceFunction), await traceFunction.metrics())
  })
})

describe('the page', () => {
  test('is exactly three lines on \\n without series and defaults', async () => {
    const body = await page(start({ port: 0 }))
    assert.deepEqual(body.split('\n'), [HELP, TYPE, ''])
  })

  test('has the default metrics, after the counter, when they are asked for or nothing is said', async () => {
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

  test('has its first series on the third line, the count at its end, without a point', async () => {
    const traceFunction = startTracing({ collectDefaults: true })
    const child = new Child()
    child.work()
    assert.match((await page(traceFunction)).split('\n')[2], /^trace_counter\{.*\} 1$/)
    child.work()
    assert.match((await page(traceFunction)).split('\n')[2], /^trace_counter\{.*\} 2$/)
  })

  test('shows every call that was made before it was asked for', async () => {
    const traceFunction = start({ port: 0 })
    for (let calls = 1; calls <= 30; calls++) {
      traceFunction(payload())
      assert.equal(total(countsOf(await page(traceFunction))), calls)
    }
  })
})

describe('the labels of a call through hypertrace', () => {
  test('say which object was called, by which function of which file, under which id', async () => {
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

  test('name no parent where there is none', async () => {
    const traceFunction = startTracing()
    new Child().work()
    const [labels] = await labelSets(traceFunction)
    assert.deepEqual(Object.keys(labels).filter((name) => name.startsWith('parent')), [])
  })

  test('name the parent where there is one', async () => {
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

  test('have the allowed props of the call, the object and the parent, each under its own name', async () => {
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

  test('see a prop of the object that changes', async () => {
    const traceFunction = startTracing({ allowedProps: ['state'] })
    const props = { state: 'opening' }
    const child = new Child(null, props)
    child.work('x')
    props.state = 'open'
    child.work('x')
    assert.deepEqual((await labelSets(traceFunction)).map((labels) => labels.object_props_state), ['opening', 'open'])
  })

  test('tell two call sites in one function of one object apart by nothing: they are one series', async () => {
    const traceFunction = startTracing()
    const child = new Child()
    function here () { child.tracer.trace(); child.tracer.trace() }
    here()
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [2])
  })

  test('of two classes of one name are the same, and so is their series', async () => {
    const traceFunction = startTracing()
    const copies = [0, 1].map(() => class Twin {
      constructor () { this.tracer = createTracer(this) }
      work () { this.tracer.trace('x') }
    })
    for (const Twin of copies) new Twin().work()
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [2])
  })
})

describe('a payload', () => {
  const base = {
    object_classname: 'Thing', object_id: '1', caller_functionname: 'work', caller_filename: '/app/thing.js'
  }

  test('always gives class, object id, function and file, even where they are undefined or null', async () => {
    assert.deepEqual(await labelsOf({}, payload()), base)
    assert.deepEqual(
      await labelsOf({}, payload({
        object: { className: undefined, id: null }, caller: { functionName: undefined, filename: null }
      })),
      { object_classname: 'undefined', object_id: 'null', caller_functionname: 'undefined', caller_filename: 'null' }
    )
  })

  test('gives an id only where it is truthy', async () => {
    for (const id of [null, undefined, '', 0, -0, NaN, false, 0n]) {
      assert.deepEqual(await labelsOf({}, payload({ id })), base, `id ${String(id)}`)
    }
    for (const id of ['x', '0', ' ', 1, -1, true, 1n, [], {}]) {
      const { id: label } = await labelsOf({}, payload({ id }))
      assert.equal(label, String(id) === '' ? undefined : String(id))
    }
  })

  test('gives a parent\'s class and id each where it is truthy', async () => {
    const labels = async (parentObject) => {
      const all = await labelsOf({}, payload({ parentObject }))
      return [all.parent_object_classname, all.parent_object_id]
    }
    assert.deepEqual(await labels(null), [undefined, undefined])
    assert.deepEqual(await labels(undefined), [undefined, undefined])
    assert.deepEqual(await labels({}), [undefined, undefined])
    assert.deepEqual(await labels({ className: '', id: 0 }), [undefined, undefined])
    assert.deepEqual(await labels({ className: 'P', id: 0 }), ['P', undefined])
    assert.deepEqual(await labels({ className: null, id: 5 }), [undefined, '5'])
    assert.deepEqual(await labels({ className: 'P', id: '5' }), ['P', '5'])
  })

  test('gives a prop where it is not undefined, null included', async () => {
    const props = async (props) => {
      const labels = await labelsOf({ allowedProps: ['x'] }, payload({ caller: { props } }))
      return labels.caller_props_x
    }
    assert.equal(await props({ x: null }), 'null')
    assert.equal(await props({ x: 0 }), '0')
    assert.equal(await props({ x: false }), 'false')
    assert.equal(await props({ x: NaN }), 'NaN')
    assert.equal(await props({ x: undefined }), undefined)
    assert.equal(await props({}), undefined)
    assert.equal(await props(null), undefined)
    assert.equal(await props(undefined), undefined)
    assert.equal(await props(Object.create({ x: 'inherited' })), 'inherited')
  })

  test('gives values as JavaScript writes them, and those that are written alike are one series', async () => {
    const traceFunction = start({ allowedProps: ['x'] })
    for (const x of [1, '1', 1n, [1], { toString: () => 1 }, 1.0]) traceFunction(payload({ caller: { props: { x } } }))
    for (const x of [{}, '[object Object]', null, 'null']) traceFunction(payload({ caller: { props: { x } } }))
    const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
    assert.deepEqual(samples.map(({ labels, value }) => [labels.caller_props_x, value]), [
      ['1', 6], ['[object Object]', 2], ['null', 2]
    ])
  })

  test('with an empty value is the same series as one without the label', async () => {
    const traceFunction = start({ allowedProps: ['x'] })
    traceFunction(payload({ caller: { props: { x: '' } } }))
    traceFunction(payload({ caller: { props: {} } }))
    traceFunction(payload({ caller: { props: { x: [] } } }))
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [3])
  })

  test('of hypertrace 1.0.0 has no id key, and props that live on in the parent', async () => {
    const traceFunction = start({ allowedProps: ['x'] })
    const parentObject = { className: 'P', id: 1, props: { x: 1 }, ctx: {} }
    const { id, ...old } = payload({ parentObject })
    traceFunction(old)
    parentObject.props.x = 2
    traceFunction(old)
    const sets = await labelSets(traceFunction)
    assert.deepEqual(sets.map((labels) => [labels.id, labels.parent_object_props_x]), [[undefined, '1'], [undefined, '2']])
  })

  test('made by hand needs no ctx, id, props, parent, line or column', async () => {
    const bare = {
      object: { className: 'Thing', id: 1 },
      caller: { functionName: 'work', filename: '/app/thing.js' }
    }
    assert.deepEqual(await labelsOf({ allowedProps: ['x'] }, bare, bare, bare), base)
  })

  test('of two calls that share line and column keeps function and file apart', async () => {
    const traceFunction = start()
    for (const functionName of ['a', 'b']) {
      for (const filename of ['/x.js', '/y.js']) {
        for (let call = 0; call < 3; call++) traceFunction(payload({ caller: { functionName, filename } }))
      }
    }
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [3, 3, 3, 3])
  })

  test('is never taken for another whose values, put together, read the same', async () => {
    const pairs = [
      [{ object: { className: 'Foo', id: '12' } }, { object: { className: 'Foo1', id: '2' } }],
      [{ id: 'x,object_classname:Thing' }, { id: 'x' }],
      [{ id: 'b', caller: { functionName: 'a' } }, { caller: { functionName: 'a,id:b' } }],
      [{ object: { className: 'a\0b', id: '' } }, { object: { className: 'a', id: '\0b' } }],
      [{ object: { className: '', id: 'ab' } }, { object: { className: 'ab', id: '' } }],
      [{ parentObject: { className: '1' } }, { parentObject: { id: '1' } }],
      [{ object: { className: 'a"', id: 'b' } }, { object: { className: 'a', id: '"b' } }]
    ]
    for (const [first, second] of pairs) {
      const traceFunction = start()
      for (const parts of [first, second, first]) traceFunction(payload(parts))
      assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [2, 1], JSON.stringify([first, second]))
    }
  })
})

describe('allowedProps', () => {
  const named = async (allowedProps, props) => {
    const { object_classname: a, object_id: b, caller_functionname: c, caller_filename: d, ...rest } =
      await labelsOf({ allowedProps }, payload({ caller: { props } }))
    return rest
  }

  test('become label names with _ for each UTF-16 unit that a label may not have', async () => {
    const names = {
      'foo-bar': 'foo_bar', 'a.b c': 'a_b_c', ключ: '____', '😀': '__', '': '', '0day': '0day', Ünïcode: '_n_code', 'a\nb': 'a_b'
    }
    for (const [name, label] of Object.entries(names)) {
      assert.deepEqual(await named([name], { [name]: 'v' }), { [`caller_props_${label}`]: 'v' })
    }
  })

  test('that become the same name share a label, which the later one has', async () => {
    assert.deepEqual(await named(['a-b', 'a.b'], { 'a-b': 1, 'a.b': 2 }), { caller_props_a_b: '2' })
    assert.deepEqual(await named(['a.b', 'a-b'], { 'a-b': 1, 'a.b': 2 }), { caller_props_a_b: '1' })
    assert.deepEqual(await named(['a-b', 'a.b'], { 'a-b': 1 }), { caller_props_a_b: '1' })
    assert.deepEqual(await named(['a-b', 'a.b'], { 'a-b': 1, 'a.b': undefined }), { caller_props_a_b: '1' })
    assert.deepEqual(await named(['a-b', 'a.b'], { 'a-b': 1, 'a.b': '' }), {})
    assert.deepEqual(await named(['x', 'x'], { x: 1 }), { caller_props_x: '1' })
  })

  test('may be names that every object has', async () => {
    const { caller_props_constructor: constructor, caller_props___proto__: proto } =
      await named(['constructor', '__proto__'], { })
    assert.equal(constructor, String(Object))
    assert.equal(proto, '[object Object]')
  })
})

describe('counts', () => {
  test('are exact over many calls and series', async () => {
    const traceFunction = start()
    const calls = 200_000
    for (let call = 0; call < calls; call++) {
      traceFunction(payload({ id: `id-${call % 7}`, object: { id: 1 + call % 1000 } }))
    }
    const counts = countsOf(await traceFunction.metrics())
    assert.equal(counts.size, 7_000)
    assert.equal(total(counts), calls)
    for (const count of counts.values()) assert.ok(count === 28 || count === 29)
  })

  test('are the instance\'s own', async () => {
    const [first, second] = [start(), start()]
    first(payload())
    first(payload())
    second(payload())
    assert.equal(total(countsOf(await first.metrics())), 2)
    assert.equal(total(countsOf(await second.metrics())), 1)
  })

  test('are the same when asked again', async () => {
    const traceFunction = start()
    traceFunction(payload())
    assert.equal(await traceFunction.metrics(), await traceFunction.metrics())
    assert.equal(valueOf(parse(await traceFunction.metrics()), 'trace_counter', {
      object_classname: 'Thing', object_id: '1', caller_functionname: 'work', caller_filename: '/app/thing.js'
    }), 1)
  })
})

describe('options of before', () => {
  test('may be left out altogether', async () => {
    const traceFunction = HypertracePrometheus()
    started.push(traceFunction)
    traceFunction(payload())
    assert.equal(total(countsOf(await traceFunction.metrics())), 1)
  })

  test('that are unknown are ignored', async () => {
    const traceFunction = start({ server: {}, somethingElse: 1 })
    assert.ok((await traceFunction.metrics()).startsWith(HELP))
  })
})
