'use strict'

/*
 * A cache of call sites, found by position (line and column) and verified string by string, because two
 * files can have calls at one position. A call in a base class has a call site for each combination of
 * subclass, parent class and id.
 *
 * The call sites of one position are a chain. A chain that grows too long becomes an index. An
 * index is a map by the field that distinguishes the call sites best. Its values are shorter chains or other
 * indexes. So a look-up takes about the same time however many call sites a position has.
 */

/** The longest chain that is compared call site by call site. */
const MAX_CHAIN = 8

/** The maximum number of positions that are found without a look-up in a Map, which takes longer. */
const NEAR = 256

/** The fields of a call site. The first three are internalised strings, which are fast keys. */
const FIELDS = /** @type {const} */ (['className', 'id', 'parentClassName', 'functionName', 'filename'])

/** The labels that identify a call site, and its links in the cache. */
class CallSite {
  /**
   * @param {number} number identifies the call site
   * @param {string} values the labels, packed for Rust
   * @param {string} className
   * @param {string} functionName
   * @param {string} filename
   * @param {string} id
   * @param {string} parentClassName
   */
  constructor (number, values, className, functionName, filename, id, parentClassName) {
    this.number = number
    this.position = NaN
    this.values = values
    this.className = className
    this.functionName = functionName
    this.filename = filename
    this.id = id
    this.parentClassName = parentClassName
    /** @type {CallSite | undefined} the next call site of the chain */
    this.next = undefined
    /** @type {SiteIndex | null} on the head of an index, which is no call site itself */
    this.index = null
  }

  /**
   * Copies the call site for the head of a chain: one call site can be at several positions.
   *
   * @param {number} position
   * @param {CallSite | undefined} next
   */
  at (position, next) {
    const { number, values, className, functionName, filename, id, parentClassName } = this
    const site = new CallSite(number, values, className, functionName, filename, id, parentClassName)
    site.position = position
    site.next = next
    return site
  }
}

/** Chains by the value of one field. */
class SiteIndex {
  /** @param {number} field an index of `FIELDS` */
  constructor (field) {
    this.field = field
    /** @type {Map<string, CallSite>} the head of each chain */
    this.heads = new Map()
  }
}

const NONE = new CallSite(0, '', '', '', '', '', '')

class CallSites {
  constructor () {
    /** @type {Map<number, CallSite>} by position */
    this._heads = new Map()
    /** @type {CallSite[]} heads by some bits of their position */
    this._near = new Array(NEAR).fill(NONE)
  }

  /**
   * @param {number} position a 32-bit integer
   * @param {string} className
   * @param {string} functionName
   * @param {string} filename
   * @param {string} id
   * @param {string} parentClassName
   * @returns {CallSite | undefined}
   */
  find (position, className, functionName, filename, id, parentClassName) {
    const near = this._near[nearIndex(position)]
    let site = near.position === position ? near : this._heads.get(position)
    while (site !== undefined && site.index !== null) {
      const { field, heads } = site.index
      // Written out, because an array of the fields would be an allocation.
      site = heads.get(field === 0
        ? className
        : field === 1 ? id : field === 2 ? parentClassName : field === 3 ? functionName : filename)
    }
    while (site !== undefined) {
      // Equal values of the first fields are mostly the same string object, which V8 compares without reading the text.
      if (site.className === className && site.id === id && site.parentClassName === parentClassName &&
        site.functionName === functionName && site.filename === filename) break
      site = site.next
    }
    return site
  }

  /**
   * Adds a call site to a position.
   *
   * @param {number} position
   * @param {CallSite} site
   * @returns {boolean} false if the position has this call site already
   */
  add (position, site) {
    /** @param {CallSite} head */
    let setHead = (head) => {
      this._heads.set(position, head)
      this._near[nearIndex(position)] = head
    }
    let head = this._heads.get(position)
    while (head !== undefined && head.index !== null) {
      const { field, heads } = head.index
      const key = site[FIELDS[field]]
      setHead = (chain) => { heads.set(key, chain) }
      head = heads.get(key)
    }
    let length = 0
    for (let other = head; other !== undefined; other = other.next) {
      if (other.number === site.number) return false
      length++
    }
    const chain = site.at(position, head)
    setHead(length < MAX_CHAIN ? chain : indexOf(chain))
    return true
  }

  clear () {
    this._heads.clear()
    this._near.fill(NONE)
  }
}

/**
 * Mixes the bits of line and column, because a program uses some lines and some columns much more than others.
 *
 * @param {number} position
 */
function nearIndex (position) {
  return (position ^ (position >>> 10)) & (NEAR - 1)
}

/**
 * Makes an index of a chain, by the field with the most values. Different call sites differ in some
 * field, so that each chain of the index is shorter.
 *
 * @param {CallSite} chain
 */
function indexOf (chain) {
  let field = 0
  let most = 0
  for (const [candidate, name] of FIELDS.entries()) {
    const values = new Set()
    for (let site = /** @type {CallSite | undefined} */ (chain); site !== undefined; site = site.next) values.add(site[name])
    if (values.size > most) [field, most] = [candidate, values.size]
  }
  const head = NONE.at(chain.position, undefined)
  head.index = new SiteIndex(field)
  const { heads } = head.index
  for (let site = /** @type {CallSite | undefined} */ (chain); site !== undefined; site = site.next) {
    const key = site[FIELDS[field]]
    heads.set(key, site.at(site.position, heads.get(key)))
  }
  return head
}

module.exports = { CallSite, CallSites }
