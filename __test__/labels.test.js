'use strict'

/*
 * Tests the label rules of `trace_counter` with payloads made by hand. Dashboards rely on each of these rules.
 */

const { test, describe, afterEach } = require('node:test')
const assert = require('node:assert/strict')
const { createExporters, labelSets } = require('./support/exporters')
const { payload } = require('./support/payload')
const { parse, valueOf } = require('./support/exposition')
const { countsOf, total } = require('./support/differences')

const { start, stopAll } = createExporters()

afterEach(stopAll)

/** Returns the labels of the one series that these payloads create. */
async function labelsOf (options, ...payloads) {
  const traceFunction = start(options)
  for (const each of payloads) traceFunction(each)
  const sets = await labelSets(traceFunction)
  assert.equal(sets.length, 1)
  return sets[0]
}

describe('a payload', () => {
  const base = {
    object_classname: 'Thing', object_id: '1', caller_functionname: 'work', caller_filename: '/app/thing.js'
  }

  test('always has class, object id, function and file, even if they are undefined or null', async () => {
    assert.deepEqual(await labelsOf({}, payload()), base)
    assert.deepEqual(
      await labelsOf({}, payload({
        object: { className: undefined, id: null }, caller: { functionName: undefined, filename: null }
      })),
      { object_classname: 'undefined', object_id: 'null', caller_functionname: 'undefined', caller_filename: 'null' }
    )
  })

  test('has an id only if it is truthy', async () => {
    for (const id of [null, undefined, '', 0, -0, NaN, false, 0n]) {
      assert.deepEqual(await labelsOf({}, payload({ id })), base, `id ${String(id)}`)
    }
    for (const id of ['x', '0', ' ', 1, -1, true, 1n, [], {}]) {
      const { id: label } = await labelsOf({}, payload({ id }))
      assert.equal(label, String(id) === '' ? undefined : String(id))
    }
  })

  test('has the class and the id of a parent, each if it is truthy', async () => {
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

  test('has a prop with any value except undefined; null is also a value', async () => {
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

  test('has values as String() writes them; values with the same text are one series', async () => {
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

  test('of hypertrace 1.0.0 has no id key, and the props of its parent may change', async () => {
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

  test('of two calls with the same line and column differs by function and file', async () => {
    const traceFunction = start({})
    for (const functionName of ['a', 'b']) {
      for (const filename of ['/x.js', '/y.js']) {
        for (let call = 0; call < 3; call++) traceFunction(payload({ caller: { functionName, filename } }))
      }
    }
    assert.deepEqual([...countsOf(await traceFunction.metrics()).values()], [3, 3, 3, 3])
  })

  test('distinguishes the props of object, parent and call in every combination', async () => {
    const traceFunction = start({ allowedProps: ['x', 'y'] })
    const choices = [undefined, { x: 1 }, { y: 1 }, { x: 1, y: 1 }, { x: 'x' }]
    let combinations = 0
    for (let calls = 0; calls < 3; calls++) {
      combinations = 0
      for (const ofObject of choices) {
        for (const ofParent of choices) {
          for (const ofCall of choices) {
            traceFunction(payload({
              object: { props: ofObject }, parentObject: { className: 'P', id: 1, props: ofParent }, caller: { props: ofCall }
            }))
            combinations++
          }
        }
      }
    }
    const counts = countsOf(await traceFunction.metrics())
    assert.equal(counts.size, combinations)
    assert.ok([...counts.values()].every((count) => count === 3))
  })

  test('distinguishes objects by any number or string as their id', async () => {
    const ids = [
      0, 1, 2, 3, 1.5, 0.5, -1, -2, -3, -4, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, -(2 ** 31), 1e21, 1e22, NaN,
      Infinity, -Infinity, 'a', 'b', '1.0', '01', '0x1', ' 1', true, null, undefined
    ]
    const traceFunction = start({})
    for (let calls = 0; calls < 3; calls++) {
      for (const id of ids) traceFunction(payload({ object: { id } }))
      for (const id of ids) if (id) traceFunction(payload({ parentObject: { className: 'P', id } }))
    }
    const { samples } = parse(await traceFunction.metrics()).get('trace_counter')
    assert.deepEqual(samples.map(({ labels, value }) => [labels.object_id, labels.parent_object_id, value]), [
      ...ids.map((id) => [String(id), undefined, 3]),
      ...ids.filter(Boolean).map((id) => ['1', String(id), 3])
    ])
  })

  test('differs from another payload with the same concatenated values', async () => {
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
      const traceFunction = start({})
      for (const given of [first, second, first]) traceFunction(payload(given))
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

  test('that become the same name share a label with the value of the later one', async () => {
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
    const traceFunction = start({})
    const calls = 200_000
    for (let call = 0; call < calls; call++) {
      traceFunction(payload({ id: `id-${call % 7}`, object: { id: 1 + call % 1000 } }))
    }
    const counts = countsOf(await traceFunction.metrics())
    assert.equal(counts.size, 7_000)
    assert.equal(total(counts), calls)
    for (const count of counts.values()) assert.ok(count === 28 || count === 29)
  })

  test('belong to one instance', async () => {
    const [first, second] = [start({}), start({})]
    first(payload())
    first(payload())
    second(payload())
    assert.equal(total(countsOf(await first.metrics())), 2)
    assert.equal(total(countsOf(await second.metrics())), 1)
  })

  test('are the same on the next page', async () => {
    const traceFunction = start({})
    traceFunction(payload())
    assert.equal(await traceFunction.metrics(), await traceFunction.metrics())
    assert.equal(valueOf(parse(await traceFunction.metrics()), 'trace_counter', {
      object_classname: 'Thing', object_id: '1', caller_functionname: 'work', caller_filename: '/app/thing.js'
    }), 1)
  })
})
