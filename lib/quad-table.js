'use strict'

/*
 * A hash table from four 32-bit integers to one: what a JavaScript thread remembers of the label
 * sets it has seen. It lives in one typed array, outside the garbage collector's work: 20 bytes an
 * entry, two thirds full at most.
 */

const STRIDE = 5
const MIN_CAPACITY = 256

class QuadTable {
  constructor () {
    this.size = 0
    this._mask = 0
    this._entries = new Int32Array(0)
    this.clear()
  }

  clear () {
    this.size = 0
    this._mask = MIN_CAPACITY - 1
    // a, b, c, d, value + 1; a last field of 0 is a free entry.
    this._entries = new Int32Array(MIN_CAPACITY * STRIDE)
  }

  /**
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} d
   * @returns {number} the value, or -1
   */
  get (a, b, c, d) {
    const entries = this._entries
    const mask = this._mask
    for (let at = hash(a, b, c, d) & mask; ; at = (at + 1) & mask) {
      const entry = at * STRIDE
      const value = entries[entry + 4]
      if (value === 0) return -1
      if (entries[entry] === a && entries[entry + 1] === b && entries[entry + 2] === c &&
        entries[entry + 3] === d) return value - 1
    }
  }

  /**
   * Adds an entry that is not there yet.
   *
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} d
   * @param {number} value not negative
   */
  add (a, b, c, d, value) {
    if (this.size * 3 > this._mask * 2) this._grow()
    this._put(a, b, c, d, value + 1)
    this.size++
  }

  _put (a, b, c, d, field) {
    const entries = this._entries
    const mask = this._mask
    let at = hash(a, b, c, d) & mask
    while (entries[at * STRIDE + 4] !== 0) at = (at + 1) & mask
    const entry = at * STRIDE
    entries[entry] = a
    entries[entry + 1] = b
    entries[entry + 2] = c
    entries[entry + 3] = d
    entries[entry + 4] = field
  }

  _grow () {
    const old = this._entries
    const capacity = (this._mask + 1) * 2
    this._entries = new Int32Array(capacity * STRIDE)
    this._mask = capacity - 1
    for (let e = 0; e < old.length; e += STRIDE) {
      if (old[e + 4] !== 0) this._put(old[e], old[e + 1], old[e + 2], old[e + 3], old[e + 4])
    }
  }
}

function hash (a, b, c, d) {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^
    Math.imul(d, 0x27d4eb2f)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  return h ^ (h >>> 13)
}

module.exports = QuadTable
