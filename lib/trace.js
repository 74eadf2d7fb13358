'use strict'

/*
 * The trace path: one call of `tracer.trace()` becomes one increment of a cell that Rust reads.
 *
 * A label set seen before is found here, without Node-API, allocation or lock: call site by line
 * and column, then verified string by string; objects by their number. Only a label set that is
 * not remembered crosses into Rust, where the series live.
 *
 * What is remembered is only a cache: it may be dropped whole at any moment (`forget`), and the
 * next call gets the same slot from Rust again. It holds strings and numbers, never an object of
 * the application. Numbers given out (of sites, values, property sets) are not given out again, so
 * that a call in progress cannot mix them up when the cache is dropped under it.
 *
 * Runs on the JavaScript thread. Nothing here throws into the application.
 */

const { Key, KeyTable } = require('./key-table')
const pack = require('./packing')
const { isCount, placeOf, placeRead, read } = require('./payload')
const { Site, Sites } = require('./sites')
const { text, own } = require('./text')
const TripleTable = require('./triple-table')

const CELL_BITS = 12
const CELLS = 1 << CELL_BITS
const CELL_MASK = CELLS - 1

/** The number of what is not remembered. */
const UNKNOWN = -1

const NO_PAGE = new Float64Array(0)

/**
 * @typedef {object} Counter what the trace path needs of Rust
 * @property {(values: string) => number} intern the slot of a label set; `values` as `pack` packs them
 * @property {(number: number, values: string) => void} knowSite tells a call site's number and its labels
 * @property {(number: number, values: string) => void} knowProps the same of a set of properties
 * @property {(site: number, object: number, parent: number, props: number) => number} internKnown the slot of
 *   a label set by what was told: an id below 0 is no label, 0 no set of properties; -1 where that is not known
 * @property {() => void} forget what was told
 * @property {(index: number) => Float64Array} createCells the block of slots `index * CELLS` and up
 *
 * @typedef {object} TraceOptions
 * @property {string[]} allowedProps
 * @property {number[]} places for each allowed property, the place of its label among its owner's
 * @property {string[]} omitLabels
 * @property {number} maxLabelValueLength in UTF-16 units
 * @property {number} cacheLimit entries remembered at most
 *
 * @param {Counter} counter
 * @param {TraceOptions} options
 */
function createTrace (counter, { allowedProps, places, omitLabels, maxLabelValueLength: max, cacheLimit }) {
  const keeps = (label) => !omitLabels.includes(label)
  const keepsClassName = keeps('object_classname')
  const keepsObjectId = keeps('object_id')
  const keepsFunctionName = keeps('caller_functionname')
  const keepsFilename = keeps('caller_filename')
  const keepsPlace = keepsFunctionName || keepsFilename
  const keepsId = keeps('id')
  const keepsParentClassName = keeps('parent_object_classname')
  const keepsParentId = keeps('parent_object_id')
  const propCount = allowedProps.length
  const propsPerOwner = propCount === 0 ? 0 : Math.max(...places) + 1

  /** @type {Float64Array[]} */
  const pages = []

  const sites = new Sites()
  const sitesByText = new Map()
  const values = new Map()
  const propSets = new KeyTable()
  const slots = new TripleTable()
  /** The sites that Rust has been told the number of. */
  const told = new Set()
  const keyLength = 1 + 2 * 3 * propCount
  /** @type {InstanceType<typeof Key> | null} */
  let spareKey = new Key(keyLength)
  let weight = 0
  let remembers = true
  /** Whether Rust keeps what it is told. */
  let tells = true
  let lastNumber = 0

  function trace (payload) {
    let slot = -1
    try {
      slot = findSlot(payload)
    } catch {
      // A payload that hypertrace did not make: its parts are read one by one below.
    }
    if (slot === -1) {
      try {
        slot = addSlot(payload)
      } catch {
        return // The stack is full: the application is about to hear of that from itself.
      }
    }
    pages[slot >>> CELL_BITS][slot & CELL_MASK]++
  }

  /** The slot of a call each part of which is remembered, or -1. */
  function findSlot (payload) {
    const site = findSite(payload)
    if (site === undefined) return -1
    const { object, caller, parentObject: parent } = payload
    const objectId = keepsObjectId ? numberOf(object.id) : 0
    const parentId = parent && keepsParentId && parent.id ? numberOf(parent.id) : 0
    const rest = propCount === 0 ? parentId : findProps(parentId, object.props, parent && parent.props, caller.props)
    const slot = slots.get(site.number, objectId, rest)
    return slot === -1 && rest !== UNKNOWN ? internKnown(site, objectId, parentId, rest) : slot
  }

  /** The site of a call, if it is remembered. */
  function findSite (payload) {
    const { object, caller, parentObject: parent } = payload
    const className = keepsClassName ? object.className : ''
    const functionName = keepsFunctionName ? caller.functionName : ''
    const filename = keepsFilename ? caller.filename : ''
    const id = (keepsId && payload.id) || ''
    const parentClassName = (parent && keepsParentClassName && parent.className) || ''

    const place = keepsPlace ? placeOf(caller.line, caller.column) : 0
    return sites.find(place, className, functionName, filename, id, parentClassName)
  }

  /**
   * What stands for an id or a property's value: a count for itself, as hypertrace's ids are; anything
   * else a negative number, which for a value that is not remembered is `UNKNOWN`.
   */
  function numberOf (value) {
    return isCount(value) ? value : -1 - (values.get(valueKey(value)) || 0)
  }

  /** What stands for a value in the cache: itself where it is short and cannot change. */
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
   * What stands for the parent's id and the properties of a call: the id's number where there are none,
   * else a negative one of their own, or `UNKNOWN`.
   */
  function findProps (parentId, objectProps, parentProps, callerProps) {
    const key = startKey(parentId)
    if (objectProps) addToKey(key, objectProps, 0)
    if (parentProps) addToKey(key, parentProps, propCount)
    if (callerProps) addToKey(key, callerProps, propCount + propCount)
    spareKey = key
    return key.length === 1 ? parentId : propSets.get(key)
  }

  /** A key of this call's own until it is made the spare one: reading properties may run code that traces. */
  function startKey (first) {
    const key = spareKey === null ? new Key(keyLength) : spareKey
    spareKey = null
    key.start(first)
    return key
  }

  function addToKey (key, props, offset) {
    for (let i = 0; i < propCount; i++) {
      const value = props[allowedProps[i]]
      if (value !== undefined) key.push(offset + i, numberOf(value))
    }
  }

  /**
   * The slot of a label set each part of which is remembered, asked of Rust by numbers; -1 where a part
   * is not. To be called with nothing of the application's run since the numbers were found.
   */
  function internKnown (site, objectId, parentId, rest) {
    if (!tells || objectId < 0 || parentId < 0) return -1
    if (!told.has(site.number)) {
      counter.knowSite(site.number, site.values)
      told.add(site.number)
    }
    const props = rest < 0 ? -1 - rest : 0
    const slot = counter.internKnown(site.number, keepsObjectId ? objectId : -1, parentId || -1, props)
    if (slot !== -1) return remember(site.number, objectId, rest, slot)
    tells = false // The thread has left the page that it counted for.
    return -1
  }

  /** Remembers a slot that Rust gave. */
  function remember (siteNumber, objectId, rest, slot) {
    openPage(slot >>> CELL_BITS)
    if (remembers) {
      slots.add(siteNumber, objectId, rest, slot)
      weight++
      if (weight > cacheLimit) forget()
    }
    return slot
  }

  /** The slot of a call that is not remembered, or whose payload has to be read with care. */
  function addSlot (payload) {
    if (weight > cacheLimit) forget()
    const object = read(payload, 'object')
    const parent = read(payload, 'parentObject')
    const caller = read(payload, 'caller')

    let site
    try {
      site = findSite(payload)
    } catch {}
    if (site === undefined) site = addSite(payload, object, parent, caller)
    const objectId = keepsObjectId ? read(object, 'id') : ''
    const parentId = (keepsParentId && read(parent, 'id')) || ''
    const ids = pack([text(objectId, max), text(parentId, max)])
    const objectNumber = keepsObjectId ? addNumberOf(objectId) : 0
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
    const known = internKnown(site, objectNumber, parentNumber, rest)
    return known === -1 ? remember(site.number, objectNumber, rest, counter.intern(site.values + ids + props)) : known
  }

  function addSite (payload, object, parent, caller) {
    const className = keepsClassName ? text(read(object, 'className'), max) : ''
    const functionName = keepsFunctionName ? text(read(caller, 'functionName'), max) : ''
    const filename = keepsFilename ? text(read(caller, 'filename'), max) : ''
    const id = text((keepsId && read(payload, 'id')) || '', max)
    const parentClassName = text((keepsParentClassName && read(parent, 'className')) || '', max)

    const joined = pack([className, functionName, filename, id, parentClassName])
    let site = sitesByText.get(joined)
    if (site === undefined) {
      site = new Site(nextNumber(), joined, own(className), own(functionName), own(filename),
        own(id), own(parentClassName), 0)
      sitesByText.set(joined, site)
      weight += 8 + (joined.length >>> 4)
    }
    sites.add(keepsPlace ? placeRead(caller) : 0, site)
    weight += 8
    return site
  }

  function addProps (key, owner, props, labels) {
    if (props === null || props === undefined) return
    for (let i = 0; i < propCount; i++) {
      const value = read(props, allowedProps[i])
      if (value === undefined) continue
      const own = valueKey(value)
      labels[owner * propsPerOwner + places[i]] = String(own)
      key.push(owner * propCount + i, addNumberOf(own))
    }
  }

  /** The number of a set of properties, which Rust is told. */
  function addPropSet (key, labels) {
    const known = propSets.get(key)
    if (known !== UNKNOWN) return known
    const number = nextNumber()
    propSets.add(key, -1 - number)
    if (tells) counter.knowProps(number, labels)
    weight += 4 + (labels.length >>> 4)
    return -1 - number
  }

  function addNumberOf (value) {
    return isCount(value) ? value : -1 - addValue(valueKey(value))
  }

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

  function openPage (index) {
    if (index < pages.length && pages[index] !== NO_PAGE) return
    const page = counter.createCells(index)
    while (pages.length < index) pages.push(NO_PAGE)
    pages[index] = page
  }

  /** Drops the cache. Counts and slots are not touched. */
  function forget () {
    sites.clear()
    sitesByText.clear()
    values.clear()
    propSets.clear()
    slots.clear()
    told.clear()
    counter.forget()
    weight = 0
  }

  /** Remembers no slot from here on: each call asks Rust for its own. */
  function forgetForGood () {
    remembers = false
    tells = false
    forget()
  }

  return { trace, forget, forgetForGood }
}

module.exports = createTrace
