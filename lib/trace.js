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

const QuadTable = require('./quad-table')
const { Site, Sites } = require('./sites')
const { text, own } = require('./text')

const CELL_BITS = 12
const CELLS = 1 << CELL_BITS
const CELL_MASK = CELLS - 1

const SEPARATOR = '\x1f'
const ESCAPE = '\x1e'

const NO_PAGE = new Float64Array(0)

/**
 * @typedef {object} Counter what the trace path needs of Rust
 * @property {(values: string) => number} intern the slot of a label set; `values` as `join` packs them
 * @property {(index: number, page: Float64Array) => void} lendPage
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
  const propSets = new QuadTable()
  const slots = new QuadTable()
  let weight = 0
  let remembers = true
  let lastNumber = 0

  function trace (payload) {
    let slot = -1
    try {
      slot = findSlot(payload)
      if (slot === -1) slot = addObjects(payload)
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

  /** The slot of a call that is remembered whole, or -1. */
  function findSlot (payload) {
    const site = findSite(payload)
    if (site === undefined) return -1
    const { object, caller, parentObject: parent } = payload
    const objectId = keepsObjectId ? numberOf(object.id) : 0
    const parentId = parent && keepsParentId && parent.id ? numberOf(parent.id) : 0
    const props = propCount === 0 ? 0 : findProps(object.props, parent && parent.props, caller.props)
    return slots.get(site.number, objectId, parentId, props)
  }

  /** The site of a call, if it is remembered. */
  function findSite (payload) {
    const { object, caller, parentObject: parent } = payload
    const className = keepsClassName ? object.className : ''
    const functionName = keepsFunctionName ? caller.functionName : ''
    const filename = keepsFilename ? caller.filename : ''
    const id = (keepsId && payload.id) || ''
    const parentClassName = (parent && keepsParentClassName && parent.className) || ''

    const place = keepsPlace ? caller.line * 1024 + caller.column : 0
    return sites.find(place, className, functionName, filename, id, parentClassName)
  }

  /** What stands for an id or a property's value: a count for itself, as hypertrace's ids are; anything else a negative number. */
  function numberOf (value) {
    return isCount(value) ? value : -1 - valueNumber(value)
  }

  /** The number of a value that is remembered, or 0, which is none's. */
  function valueNumber (value) {
    return values.get(valueKey(value)) || 0
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

  /** The number of a set of property values, 0 for none at all, -1 for one not remembered. */
  function findProps (objectProps, parentProps, callerProps) {
    let set = 0
    if (objectProps) set = findOwnersProps(set, objectProps, 0)
    if (parentProps) set = findOwnersProps(set, parentProps, propCount)
    if (callerProps) set = findOwnersProps(set, callerProps, propCount + propCount)
    return set
  }

  function findOwnersProps (set, props, offset) {
    for (let i = 0; i < propCount; i++) {
      const value = props[allowedProps[i]]
      if (value !== undefined) set = propSets.get(set, offset + i, numberOf(value), 0)
    }
    return set
  }

  /** The slot of a call from a known site, if nothing but its objects is new; or -1. */
  function addObjects (payload) {
    if (propCount !== 0) return -1
    if (weight > cacheLimit) forget()
    const site = findSite(payload)
    if (site === undefined) return -1
    const objectId = keepsObjectId ? payload.object.id : 0
    const parent = payload.parentObject
    const parentId = (parent && keepsParentId && parent.id) || 0
    if (!isCount(objectId) || !isCount(parentId)) return -1
    const labels = (keepsObjectId ? objectId : '') + SEPARATOR + (parentId || '') + SEPARATOR
    return intern(site, objectId, parentId, 0, labels)
  }

  /** Asks Rust for a slot, and remembers it. */
  function intern (site, objectNumber, parentNumber, props, labels) {
    const slot = counter.intern(site.values + labels)
    openPage(slot >>> CELL_BITS)
    if (remembers) {
      slots.add(site.number, objectNumber, parentNumber, props, slot)
      weight++
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
    const labels = new Array(2 + 3 * propsPerOwner).fill('')
    labels[0] = text(objectId, max)
    labels[1] = text(parentId, max)
    let props = addProps(0, 0, read(object, 'props'), labels)
    props = addProps(props, 1, read(parent, 'props'), labels)
    props = addProps(props, 2, read(caller, 'props'), labels)

    const objectNumber = keepsObjectId ? addNumberOf(objectId) : 0
    const parentNumber = parentId ? addNumberOf(parentId) : 0
    const slot = slots.get(site.number, objectNumber, parentNumber, props)
    return slot === -1 ? intern(site, objectNumber, parentNumber, props, join(labels)) : slot
  }

  function addSite (payload, object, parent, caller) {
    const className = keepsClassName ? text(read(object, 'className'), max) : ''
    const functionName = keepsFunctionName ? text(read(caller, 'functionName'), max) : ''
    const filename = keepsFilename ? text(read(caller, 'filename'), max) : ''
    const id = text((keepsId && read(payload, 'id')) || '', max)
    const parentClassName = text((keepsParentClassName && read(parent, 'className')) || '', max)

    const joined = join([className, functionName, filename, id, parentClassName])
    let site = sitesByText.get(joined)
    if (site === undefined) {
      site = new Site(nextNumber(), joined, own(className), own(functionName), own(filename),
        own(id), own(parentClassName))
      sitesByText.set(joined, site)
      weight += 8 + (joined.length >>> 4)
    }
    sites.add(keepsPlace ? placeOf(caller) : 0, site)
    weight += 8
    return site
  }

  function addProps (set, owner, props, labels) {
    if (props === null || props === undefined) return set
    for (let i = 0; i < propCount; i++) {
      const value = read(props, allowedProps[i])
      if (value === undefined) continue
      const key = valueKey(value)
      labels[2 + owner * propsPerOwner + places[i]] = String(key)
      set = addPropSet(set, owner * propCount + i, addNumberOf(key))
    }
    return set
  }

  function addPropSet (set, label, value) {
    let next = propSets.get(set, label, value, 0)
    if (next === -1) {
      next = nextNumber()
      propSets.add(set, label, value, 0, next)
      weight++
    }
    return next
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
    const page = new Float64Array(CELLS)
    counter.lendPage(index, page)
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
    weight = 0
  }

  /** Remembers no slot from here on: each call asks Rust for its own. */
  function forgetForGood () {
    remembers = false
    forget()
  }

  return { trace, forget, forgetForGood }
}

/** Whether an id is a number as hypertrace counts objects: whole, and no more than 31 bits. */
function isCount (id) {
  return typeof id === 'number' && (id | 0) === id && id >= 0
}

/** Line and column as one number; NaN, which a Map finds too, where a payload has none. */
function placeOf (caller) {
  const line = read(caller, 'line')
  const column = read(caller, 'column')
  return typeof line === 'number' && typeof column === 'number' ? line * 1024 + column : NaN
}

/** A property of whatever it is; `undefined` where reading it throws. */
function read (target, key) {
  try {
    return target === null || target === undefined ? undefined : target[key]
  } catch {
    return undefined
  }
}

/**
 * Packs values into one string, each closed by a separator, so that one string crosses into Rust and
 * no two lists become the same. A separator within a value is escaped.
 */
function join (strings) {
  let joined = ''
  for (const string of strings) joined += escape(string) + SEPARATOR
  return joined
}

function escape (string) {
  if (!string.includes(SEPARATOR) && !string.includes(ESCAPE)) return string
  return string.replaceAll(ESCAPE, ESCAPE + '0').replaceAll(SEPARATOR, ESCAPE + '1')
}

module.exports = createTrace
