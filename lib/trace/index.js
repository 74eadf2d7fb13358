'use strict'

/*
 * The trace path: one call of `tracer.trace()` becomes one increment of a cell that Rust reads.
 *
 * A cached label set is found here, without Node-API, allocation or lock. The call site is looked up by line
 * and column, and verified string by string. Objects are looked up by their numbers. A label set that is not
 * cached is interned in Rust, which holds the series.
 *
 * All of this is a cache: it can be dropped at any moment (`dropCache`), and the next call gets the same
 * slot from Rust again. It holds strings and numbers, never an object of the application. Numbers (of
 * call sites, values, property sets) are not used again, so that a call during which the cache is dropped
 * cannot confuse them.
 *
 * Runs on the JavaScript thread. Nothing here throws into the application.
 */

const { CallSite, CallSites } = require('./call-sites')
const { Key, KeyTable } = require('./key-table')
const pack = require('./packing')
const { isCount, positionOf, read, readPosition } = require('./payload')
const { internalised, own, text } = require('./text')
const TripleTable = require('./triple-table')

/** Stands for a value or a property set that is not cached. */
const UNKNOWN = -1

const NO_CELLS = new Float64Array(0)

/**
 * @typedef {InstanceType<typeof import('./call-sites').CallSite>} Site
 * @typedef {Pick<import('../../binding').Exporter,
 *   'intern' | 'internDefined' | 'defineSite' | 'defineProps' | 'clearDefinitions' | 'createCells'>} Counter
 *
 * @typedef {object} TraceOptions
 * @property {string[]} allowedProps
 * @property {number[]} propColumns for each allowed property, the index of its label among its owner's labels
 * @property {string[]} omitLabels
 * @property {number} maxLabelValueLength in UTF-16 units
 * @property {number} cacheLimit the maximum weight of the cache
 * @property {number} cellBits a cell block has 2 ** cellBits cells
 *
 * @typedef {object} TracePath
 * @property {(payload: any) => void} trace counts one call
 * @property {() => void} dropCache
 * @property {() => void} endCache drops the cache permanently: each later call interns its label set in Rust
 * @property {() => number} lostCalls the number of calls that could not be counted
 *
 * @param {Counter} counter
 * @param {TraceOptions} options
 * @returns {TracePath}
 */
function createTrace (counter, { allowedProps, propColumns, omitLabels, maxLabelValueLength: max, cacheLimit, cellBits }) {
  const cellMask = (1 << cellBits) - 1
  /** @param {string} label */
  const hasLabel = (label) => !omitLabels.includes(label)
  const hasClassName = hasLabel('object_classname')
  const hasObjectId = hasLabel('object_id')
  const hasFunctionName = hasLabel('caller_functionname')
  const hasFilename = hasLabel('caller_filename')
  const hasPosition = hasFunctionName || hasFilename
  const hasId = hasLabel('id')
  const hasParentClassName = hasLabel('parent_object_classname')
  const hasParentId = hasLabel('parent_object_id')
  const propCount = allowedProps.length
  const propsPerOwner = propCount === 0 ? 0 : Math.max(...propColumns) + 1

  /** @type {Float64Array[]} by index */
  const cellBlocks = []

  const sites = new CallSites()
  /** @type {Map<string, Site>} by their labels */
  const sitesByLabels = new Map()
  /** @type {Map<unknown, number>} */
  const values = new Map()
  const propSets = new KeyTable()
  const slots = new TripleTable()
  /** @type {Set<number>} the call sites that are defined in Rust */
  const definedSites = new Set()
  const keyLength = 1 + 2 * 3 * propCount
  /** @type {InstanceType<typeof Key> | null} */
  let spareKey = new Key(keyLength)
  let weight = 0
  let hasCache = true
  /** True while Rust accepts definitions from this thread. */
  let canDefine = true
  let lastNumber = 0
  let lost = 0

  /** @param {any} payload */
  function trace (payload) {
    let slot = -1
    try {
      slot = findSlot(payload)
    } catch {
      // A payload that hypertrace did not make: its fields are read one by one below.
    }
    if (slot === -1) {
      try {
        slot = addSlot(payload)
      } catch {
        // The stack is full, and the application will get an error of its own in a deeper call.
        lost++
        return
      }
    }
    cellBlocks[slot >>> cellBits][slot & cellMask]++
  }

  /**
   * Returns the slot of a call whose call site, values and properties are cached, or -1.
   *
   * @param {any} payload
   */
  function findSlot (payload) {
    const site = findSite(payload)
    if (site === undefined) return -1
    const { object, caller, parentObject: parent } = payload
    const objectId = hasObjectId ? numberOf(object.id) : 0
    const parentId = parent && hasParentId && parent.id ? numberOf(parent.id) : 0
    const rest = propCount === 0 ? parentId : findProps(parentId, object.props, parent && parent.props, caller.props)
    const slot = slots.get(site.number, objectId, rest)
    return slot === -1 && rest !== UNKNOWN ? internDefined(site, objectId, parentId, rest) : slot
  }

  /**
   * Returns the cached call site of a call.
   *
   * @param {any} payload
   */
  function findSite (payload) {
    const { object, caller, parentObject: parent } = payload
    const className = hasClassName ? object.className : ''
    const functionName = hasFunctionName ? caller.functionName : ''
    const filename = hasFilename ? caller.filename : ''
    const id = (hasId && payload.id) || ''
    const parentClassName = (parent && hasParentClassName && parent.className) || ''

    const position = hasPosition ? positionOf(caller.line, caller.column) : 0
    return sites.find(position, className, functionName, filename, id, parentClassName)
  }

  /**
   * Returns the number of an id or a property value in the cache. A whole number of at most 31 bits, such as
   * an id of hypertrace, is its own number. Any other value has a negative number, or `UNKNOWN` if it is not
   * cached.
   *
   * @param {unknown} value
   */
  function numberOf (value) {
    return isCount(value) ? value : -1 - (values.get(valueKey(value)) || 0)
  }

  /**
   * Returns the key of a value in the cache: the value itself if it is short and cannot change.
   *
   * @param {unknown} value
   */
  function valueKey (value) {
    switch (typeof value) {
      case 'string': return value.length <= max ? value : text(value, max)
      case 'number':
      case 'boolean':
      case 'undefined': return value
      default: return value === null ? value : text(value, max)
    }
  }

  /**
   * Returns the number of the parent's id and the properties of a call in the cache: the number of the id
   * if there are no properties, else a negative number, or `UNKNOWN` if they are not cached.
   *
   * @param {number} parentId
   * @param {any} objectProps
   * @param {any} parentProps
   * @param {any} callerProps
   */
  function findProps (parentId, objectProps, parentProps, callerProps) {
    const key = startKey(parentId)
    if (objectProps) addToKey(key, objectProps, 0)
    if (parentProps) addToKey(key, parentProps, propCount)
    if (callerProps) addToKey(key, callerProps, propCount + propCount)
    spareKey = key
    return key.length === 1 ? parentId : propSets.get(key)
  }

  /**
   * Returns the spare key and clears `spareKey`, because reading properties can run code that traces,
   * and that call must not use the same key.
   *
   * @param {number} first
   */
  function startKey (first) {
    const key = spareKey === null ? new Key(keyLength) : spareKey
    spareKey = null
    key.start(first)
    return key
  }

  /**
   * @param {InstanceType<typeof Key>} key
   * @param {any} props
   * @param {number} offset
   */
  function addToKey (key, props, offset) {
    for (let i = 0; i < propCount; i++) {
      const value = props[allowedProps[i]]
      if (value !== undefined) key.push(offset + i, numberOf(value))
    }
  }

  /**
   * Interns a label set by the numbers of its call site and properties. Returns -1 if one of these cannot be
   * defined in Rust. No code of the application may run between the look-up of the numbers and this call.
   *
   * @param {Site} site
   * @param {number} objectId
   * @param {number} parentId
   * @param {number} rest
   */
  function internDefined (site, objectId, parentId, rest) {
    if (!canDefine || objectId < 0 || parentId < 0) return -1
    if (!definedSites.has(site.number)) {
      counter.defineSite(site.number, site.values)
      definedSites.add(site.number)
    }
    const props = rest < 0 ? -1 - rest : null
    const slot = counter.internDefined(site.number, hasObjectId ? objectId : null, parentId || null, props)
    if (slot !== null) return addToCache(site.number, objectId, rest, slot)
    canDefine = false // The thread has left the page that it counted for.
    return -1
  }

  /**
   * @param {number} siteNumber
   * @param {number} objectId
   * @param {number} rest
   * @param {number} slot
   */
  function addToCache (siteNumber, objectId, rest, slot) {
    openCells(slot >>> cellBits)
    if (hasCache) {
      slots.add(siteNumber, objectId, rest, slot)
      weight++
      if (weight > cacheLimit) dropCache()
    }
    return slot
  }

  /**
   * Returns the slot of a call that is not cached, or whose payload must be read field by field.
   *
   * @param {any} payload
   */
  function addSlot (payload) {
    if (weight > cacheLimit) dropCache()
    const object = read(payload, 'object')
    const parent = read(payload, 'parentObject')
    const caller = read(payload, 'caller')

    let site
    try {
      site = findSite(payload)
    } catch {}
    if (site === undefined) site = addSite(payload, object, parent, caller)
    const objectId = hasObjectId ? read(object, 'id') : ''
    const parentId = (hasParentId && read(parent, 'id')) || ''
    const ids = pack([text(objectId, max), text(parentId, max)])
    const objectNumber = hasObjectId ? addNumberOf(objectId) : 0
    const parentNumber = parentId ? addNumberOf(parentId) : 0
    const key = startKey(parentNumber)
    const labels = new Array(3 * propsPerOwner).fill('')
    addProps(key, 0, read(object, 'props'), labels)
    addProps(key, 1, read(parent, 'props'), labels)
    addProps(key, 2, read(caller, 'props'), labels)

    const props = pack(labels)
    spareKey = key
    const rest = key.length === 1 ? parentNumber : addPropSet(key, props)
    const slot = slots.get(site.number, objectNumber, rest)
    if (slot !== -1) return slot
    const defined = internDefined(site, objectNumber, parentNumber, rest)
    if (defined !== -1) return defined
    return addToCache(site.number, objectNumber, rest, counter.intern(site.values + ids + props))
  }

  /**
   * @param {unknown} payload
   * @param {unknown} object
   * @param {unknown} parent
   * @param {unknown} caller
   */
  function addSite (payload, object, parent, caller) {
    const className = hasClassName ? text(read(object, 'className'), max) : ''
    const functionName = hasFunctionName ? text(read(caller, 'functionName'), max) : ''
    const filename = hasFilename ? text(read(caller, 'filename'), max) : ''
    const id = text((hasId && read(payload, 'id')) || '', max)
    const parentClassName = text((hasParentClassName && read(parent, 'className')) || '', max)

    const labels = pack([className, functionName, filename, id, parentClassName])
    let site = sitesByLabels.get(labels)
    if (site === undefined) {
      site = new CallSite(nextNumber(), labels, internalised(className), own(functionName), own(filename),
        internalised(id), internalised(parentClassName))
      sitesByLabels.set(labels, site)
      weight += 8 + (labels.length >>> 4)
    }
    if (sites.add(hasPosition ? readPosition(caller) : 0, site)) weight += 8
    return site
  }

  /**
   * @param {InstanceType<typeof Key>} key
   * @param {number} owner
   * @param {any} props
   * @param {string[]} labels
   */
  function addProps (key, owner, props, labels) {
    if (props === null || props === undefined) return
    for (let i = 0; i < propCount; i++) {
      const value = read(props, allowedProps[i])
      if (value === undefined) continue
      const own = valueKey(value)
      labels[owner * propsPerOwner + propColumns[i]] = String(own)
      key.push(owner * propCount + i, addNumberOf(own))
    }
  }

  /**
   * Returns the number of a property set. A new property set is also defined in Rust.
   *
   * @param {InstanceType<typeof Key>} key
   * @param {string} labels
   */
  function addPropSet (key, labels) {
    const cached = propSets.get(key)
    if (cached !== UNKNOWN) return cached
    const number = nextNumber()
    propSets.add(key, -1 - number)
    if (canDefine) counter.defineProps(number, labels)
    weight += 4 + (labels.length >>> 4)
    return -1 - number
  }

  /** @param {unknown} value */
  function addNumberOf (value) {
    return isCount(value) ? value : -1 - addValue(valueKey(value))
  }

  /** @param {unknown} key */
  function addValue (key) {
    let number = values.get(key)
    if (number === undefined) {
      number = nextNumber()
      values.set(typeof key === 'string' ? own(key) : key, number)
      weight += typeof key === 'string' ? 2 + (key.length >>> 4) : 2
    }
    return number
  }

  function nextNumber () {
    lastNumber = lastNumber === 0x7fffffff ? 1 : lastNumber + 1
    return lastNumber
  }

  /** @param {number} index */
  function openCells (index) {
    if (index < cellBlocks.length && cellBlocks[index] !== NO_CELLS) return
    const cells = counter.createCells(index)
    while (cellBlocks.length < index) cellBlocks.push(NO_CELLS)
    cellBlocks[index] = cells
  }

  /** Drops the cache. Counts and slots do not change. */
  function dropCache () {
    sites.clear()
    sitesByLabels.clear()
    values.clear()
    propSets.clear()
    slots.clear()
    definedSites.clear()
    counter.clearDefinitions()
    weight = 0
  }

  function endCache () {
    hasCache = false
    canDefine = false
    dropCache()
  }

  return { trace, dropCache, endCache, lostCalls: () => lost }
}

module.exports = createTrace
