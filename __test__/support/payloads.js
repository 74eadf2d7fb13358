'use strict'

/*
 * Random payloads, both valid and malformed.
 *
 * A world is a small application of classes, objects, parents, call sites and ids. Their numbers are small, so that calls repeat and
 * caches are used. A world changes over time: objects are created, parents change, props are written.
 */

const { plainValues, throwingValues } = require('./values')

const CLASS_NAMES = ['Hypercore', 'Session', 'Foo', 'Foo1', 'F', '', 'Класс', 'A"b\\c\nd', '$', 'constructor', '__proto__']
const FUNCTION_NAMES = ['get', 'append', 'new A', 'get g [as g]', 'Object.send', 'async f', '<anonymous>', 'foo', 'id="x"', '']
const FILE_NAMES = [
  '/app/node_modules/hypercore/index.js', '/app/index.js', '///app/esm.mjs', 'C:\\app\\index.js', 'node:internal/timers',
  '/app/dist/bundle.min.js', '/app/with "quotes"/a.js', ''
]
const IDS = ['get', 'append', 'send', 'recv', 'a"b', 'a\\', 'a\nb', '1', 'get', null, undefined, '', 0, 1, true, false, NaN, 'x'.repeat(40)]
/** Includes numbers that hypertrace does not assign; an Int32Array cannot distinguish some of them. */
const OBJECT_IDS = [...IDS, 1, 2, '1', '2', 1.5, 0.5, -1, -2, -3, 2 ** 31, 2 ** 31 + 1, 2 ** 32 + 1, -(2 ** 31), 1e21, Infinity, -0, 1n]
const PROP_NAMES = [
  'index', 'id', 'type', 'value', 'foo-bar', 'foo_bar', 'foo.bar', 'Foo', 'ключ', '😀', '0', '', ' ', 'length', 'toString',
  'constructor', '__proto__', 'hasOwnProperty', 'a"b', 'line\nbreak'
]
const ORDINARY_PROP_VALUES = [0, 1, 2, 3, '1', 'text', true, null, undefined, '', 'a"b', [1, 2]]

/**
 * Returns a copy of a string with memory of its own, like the strings that hypertrace extracts from a stack.
 * @template T
 * @param {T} value
 * @returns {T}
 */
function fresh (value) {
  return typeof value === 'string' ? /** @type {any} */ (Buffer.from(value, 'utf16le').toString('utf16le')) : value
}

/**
 * The kinds of worlds. The numbers are upper bounds, except `calls`. `changes`: the probability of a change before a call; `worlds`: the
 * number of worlds that are compared.
 */
const KINDS = {
  ordinary: { objects: 12, parents: 6, sites: 8, ids: 4, calls: 300 },
  'several sites on a line': { objects: 4, parents: 2, sites: 30, ids: 2, oneLine: true, calls: 400 },
  minified: { objects: 6, parents: 3, sites: 40, ids: 2, minified: true, calls: 400 },
  'made by hand': { objects: 10, parents: 6, sites: 8, ids: 17, byHand: true, calls: 400 },
  'many props': { objects: 5, parents: 4, sites: 4, ids: 2, props: 20, calls: 300 },
  'hostile values': { objects: 8, parents: 5, sites: 5, ids: 17, props: 4, byHand: true, hostile: true, calls: 250 },
  'dynamic ids': { objects: 3, parents: 2, sites: 3, ids: 1500, calls: 3000, worlds: 3 },
  'many objects': { objects: 2000, parents: 3, sites: 4, ids: 2, calls: 6000, worlds: 3 },
  'many parents': { objects: 3, parents: 1500, sites: 3, ids: 2, calls: 4000, worlds: 3 },
  // These worlds have so many call sites that the cache exceeds its bound and is dropped. The bound depends on `maxSeries`, so
  // `maxSeries` is low.
  'more call sites than are cached': { objects: 3, parents: 2, sites: 30_000, ids: 2, calls: 50_000, worlds: 2, props: 0, changes: 0.0005, maxSeries: 10_000 },
  'props, and more call sites than are cached': {
    objects: 2, parents: 2, sites: 20_000, ids: 1, calls: 30_000, worlds: 4, props: 1, changes: 0.0005, maxSeries: 10_000
  }
}

/**
 * @param {ReturnType<import('./random').createRandom>} random
 * @param {keyof typeof KINDS} kind
 */
function createWorld (random, kind) {
  const size = { props: 3, changes: 0.05, ...KINDS[kind] }
  const { below, chance, pick, picks } = random
  const upTo = (n) => 1 + below(n)

  const allowedProps = picks(PROP_NAMES, below(size.props + 1))
  const constructors = Array.from({ length: 6 }, () => ({ className: className(), Class: class {} }))
  const parents = Array.from({ length: upTo(size.parents) }, (_, i) => newParent(i))
  const objects = []
  for (let count = upTo(size.objects); objects.length < count;) objects.push(newObject())
  const sites = Array.from({ length: upTo(size.sites) }, newSite)
  const ids = Array.from({ length: upTo(size.ids) }, (_, i) => i < IDS.length ? pick(IDS) : `block-${i}`)

  function className () {
    return size.hostile && chance(0.3) ? pick(plainValues)[1]() : pick(CLASS_NAMES)
  }

  function propValue () {
    return size.hostile && chance(0.6) ? pick(plainValues)[1]() : pick(ORDINARY_PROP_VALUES)
  }

  /** Defines the property, because an assignment to `__proto__` creates none. */
  function setProp (props, name) {
    Object.defineProperty(props, name, { value: propValue(), enumerable: true, writable: true, configurable: true })
  }

  function newProps () {
    if (chance(0.3)) return chance(0.7) ? null : undefined
    if (size.byHand && chance(0.1)) return pick(['a string', 7, [1, 2], () => {}, Object.create({ index: 'inherited' })])
    const props = {}
    for (const name of picks([...allowedProps, 'not allowed'], 4)) setProp(props, name)
    return props
  }

  function newCtx (Class) {
    if (!size.byHand || chance(0.6)) return new Class()
    return pick([undefined, null, 1, 'text', true, Symbol('ctx'), 3n, Object.freeze({}), () => {}, new Proxy({}, {}), Object.create(null)])
  }

  function newParent (i) {
    if (i > 0 && chance(0.2)) return chance(0.7) ? null : undefined
    const { className, Class } = pick(constructors)
    const id = size.byHand && chance(0.4) ? pick(OBJECT_IDS) : 1 + below(size.parents)
    return { className, id, props: newProps(), ctx: newCtx(Class) }
  }

  function newObject () {
    // Two tracers of one object have the same ctx and different ids.
    const sharesCtx = objects.length > 0 && chance(0.1)
    const { className, Class } = pick(constructors)
    return {
      className,
      id: size.byHand && chance(0.4) ? pick(OBJECT_IDS) : 1 + below(size.objects),
      props: newProps(),
      ctx: sharesCtx ? pick(objects).ctx : newCtx(Class),
      parent: pick(parents)
    }
  }

  function newSite () {
    let line = 1 + below(size.sites * 50)
    let column = 1 + below(80)
    if (size.oneLine) line = 7
    if (size.minified) {
      // These are columns of a bundle, and pairs of line and column with the same `line * 1024 + column` or the same low bits.
      line = chance(0.8) ? 1 : 1 + below(4)
      column = pick([1, 17, 1024, 1025, 2048, 4096, 65536, 65537, 1 << 20, 2 ** 31, 2 ** 32 + 1, 5_000_000]) + below(3)
    }
    if (size.byHand && chance(0.4)) {
      line = pick([undefined, NaN, null, 0, -1, 1.5, '12', Infinity, 2 ** 53, {}])
      column = pick([undefined, NaN, null, 0, -1, 0.25, '3', -Infinity, 2 ** 53])
    }
    return { functionName: pick(FUNCTION_NAMES), filename: pick(FILE_NAMES), line, column }
  }

  /** Makes a random change that an application can make between two calls. */
  function makeChange () {
    const event = below(6)
    if (event === 0) pick(objects).parent = pick(parents) // setParent to an existing record
    else if (event === 1) pick(objects).parent = newParent(1) // setParent creates a record
    else if (event === 2) objects[below(objects.length)] = newObject()
    else if (event === 3) parents[below(parents.length)] = newParent(0)
    else if (event === 4) sites[below(sites.length)] = newSite() // a call site at the position of another: eval, a reloaded file
    else writeProp(chance(0.5) ? pick(objects)?.props : pick(parents)?.props)
  }

  function writeProp (props) {
    if (props === null || typeof props !== 'object' || Array.isArray(props)) return
    if (allowedProps.length > 0) setProp(props, pick(allowedProps))
  }

  function next () {
    if (chance(size.changes)) makeChange()
    const { className, id, props, ctx, parent } = pick(objects)
    const site = pick(sites)
    const traceId = pick(ids)
    const payload = {
      id: size.hostile && chance(0.2) ? pick(plainValues)[1]() : fresh(traceId),
      object: { className: fresh(className), id, props: copyOf(props), ctx },
      parentObject: parent,
      caller: {
        functionName: fresh(site.functionName),
        filename: fresh(site.filename),
        line: site.line,
        column: site.column,
        props: chance(0.5) ? undefined : copyOf(newProps())
      }
    }
    if (size.byHand) omitFields(payload)
    return payload
  }

  /** Removes or empties some fields that a hand-made payload, or one of hypertrace 1.0.0, may lack. */
  function omitFields (payload) {
    if (chance(0.1)) delete payload.id
    if (chance(0.1)) delete payload.object.ctx
    if (chance(0.1)) delete payload.object.props
    if (chance(0.1)) delete payload.parentObject
    if (chance(0.05)) { delete payload.caller.line; delete payload.caller.column }
    if (chance(0.05)) payload.object.className = undefined
    if (chance(0.05)) payload.object.id = undefined
    if (chance(0.03)) payload.caller.filename = undefined
    if (chance(0.03)) payload.caller.functionName = null
    if (chance(0.03)) payload.parentObject = {}
  }

  /** Returns a payload for which the reference throws, because of a value or of a getter. */
  function nextThrowing () {
    const payload = next()
    payload.object.className = 'Hostile'
    const [name, make] = pick(throwingValues)
    const prop = allowedProps.length > 0 ? pick(allowedProps) : undefined
    const fields = ['objectId', 'id', 'functionName', 'parentId']
    if (prop !== undefined) fields.push('prop', 'getter', 'parentProp')
    const field = pick(fields)
    if (field === 'objectId') payload.object.id = make()
    else if (field === 'id') payload.id = make()
    else if (field === 'functionName') payload.caller.functionName = make()
    else if (field === 'parentId') payload.parentObject = { className: 'P', id: make(), props: null }
    else if (field === 'prop') payload.caller.props = Object.defineProperty({}, prop, { value: make(), enumerable: true })
    else if (field === 'getter') payload.object.props = Object.defineProperty({}, prop, { get () { throw new Error('read') } })
    else payload.parentObject = { className: 'P', id: 1, props: Object.defineProperty({}, prop, { value: make() }) }
    return { payload, what: `${name} as ${field}` }
  }

  return { kind, allowedProps, calls: size.calls, maxSeries: size.maxSeries ?? 200_000, next, nextThrowing }
}

/** Copies props as hypertrace does; a value that is no plain object is returned unchanged. */
function copyOf (props) {
  return props !== null && typeof props === 'object' && Object.getPrototypeOf(props) === Object.prototype ? { ...props } : props
}

module.exports = { createWorld, fresh, KINDS }
