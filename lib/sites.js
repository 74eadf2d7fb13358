'use strict'

/*
 * The call sites that are remembered, found by their place (line and column) and verified string by
 * string: two files can have calls at one place, and one call can have several classes and ids.
 */

/** How many sites of one place, and of one id at a place, are tried in turn. */
const MAX_CHAIN = 8

/** How many places are found without a look-up in a Map, which takes longer than an array and a comparison. */
const NEAR = 256

/** The labels that tell one call site from another, and the next site to try at its place. */
class Site {
  constructor (number, values, className, functionName, filename, id, parentClassName, place, next) {
    this.number = number
    this.place = place
    /** The labels, joined for Rust. */
    this.values = values
    this.className = className
    this.functionName = functionName
    this.filename = filename
    this.id = id
    this.parentClassName = parentClassName
    this.next = next
    /** On a place's head where many ids come up: the chains by id, in place of this one. */
    this.byId = null
  }

  before (place, next) {
    return new Site(this.number, this.values, this.className, this.functionName, this.filename,
      this.id, this.parentClassName, place, next)
  }
}

const NOWHERE = new Site(0, '', '', '', '', '', '', NaN, undefined)

class Sites {
  constructor () {
    /** @type {Map<number, Site>} the head of the chain at each place */
    this._places = new Map()
    /** Heads by some bits of their place. */
    this._near = new Array(NEAR).fill(NOWHERE)
  }

  /** The site at a place, a 32-bit integer, or `undefined`. */
  find (place, className, functionName, filename, id, parentClassName) {
    const near = this._near[nearness(place)]
    let site = near.place === place ? near : this._places.get(place)
    if (site !== undefined && site.byId !== null) site = site.byId.get(id)
    while (site !== undefined) {
      if (site.className === className && site.id === id &&
        site.parentClassName === parentClassName && site.functionName === functionName &&
        site.filename === filename) break
      site = site.next
    }
    return site
  }

  /**
   * Puts a site where `find` looks for it, unless it is there or too many are.
   *
   * @param {number} place
   * @param {Site} site
   */
  add (place, site) {
    const head = this._places.get(place)
    const first = head === undefined || head.byId === null ? head : head.byId.get(site.id)
    let length = 0
    for (let at = first; at !== undefined; at = at.next) {
      if (at.number === site.number) return
      length++
    }
    if (head !== undefined && head.byId === null && length === MAX_CHAIN) {
      this._setHead(place, indexById(head))
      this.add(place, site)
    } else if (length < MAX_CHAIN) {
      const placed = site.before(place, first)
      if (head === undefined || head.byId === null) this._setHead(place, placed)
      else head.byId.set(site.id, placed)
    }
  }

  clear () {
    this._places.clear()
    this._near.fill(NOWHERE)
  }

  _setHead (place, head) {
    this._places.set(place, head)
    this._near[nearness(place)] = head
  }
}

/** Of places of some files: their columns are alike, and their lines are. */
function nearness (place) {
  return (place ^ (place >>> 10)) & (NEAR - 1)
}

/** A head for a place whose chain grew long: the same sites, one chain for each id. */
function indexById (chain) {
  const head = new Site(0, '', '', '', '', '', '', chain.place, undefined)
  head.byId = new Map()
  for (let at = chain; at !== undefined; at = at.next) {
    head.byId.set(at.id, at.before(at.place, head.byId.get(at.id)))
  }
  return head
}

module.exports = { Site, Sites }
