'use strict'

/*
 * A hash table from three 32-bit integers to one: the cache of label sets. The table is one typed array,
 * which the garbage collector does not traverse. At most four fifths of the table are used. An entry has
 * 16 bytes and never spans two lines of the processor's cache.
 */

// Read when this module is loaded, because an application can replace the global.
const { Int32Array } = globalThis

const STRIDE = 4
const MIN_CAPACITY = 256

class TripleTable {
  constructor () {
    this.size = 0
    this._mask = 0
    this._entries = new Int32Array(0)
    this.clear()
  }

  clear () {
    this.size = 0
    this._mask = MIN_CAPACITY - 1
    // a, b, c, value + 1; the last field of a free entry is 0.
    this._entries = new Int32Array(MIN_CAPACITY * STRIDE)
  }

  /**
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @returns {number} the value, or -1
   */
  get (a, b, c) {
    const entries = this._entries
    const mask = this._mask
    for (let at = hash(a, b, c) & mask; ; at = (at + 1) & mask) {
      const entry = at * STRIDE
      const value = entries[entry + 3]
      if (value === 0) return -1
      if (entries[entry] === a && entries[entry + 1] === b && entries[entry + 2] === c) return value - 1
    }
  }

  /**
   * Adds an entry with a new key.
   *
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} value not negative
   */
  add (a, b, c, value) {
    if (this.size * 5 > this._mask * 4) this._grow()
    this._put(a, b, c, value + 1)
    this.size++
  }

  /**
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} field
   */
  _put (a, b, c, field) {
    const entries = this._entries
    const mask = this._mask
    let at = hash(a, b, c) & mask
    while (entries[at * STRIDE + 3] !== 0) at = (at + 1) & mask
    const entry = at * STRIDE
    entries[entry] = a
    entries[entry + 1] = b
    entries[entry + 2] = c
    entries[entry + 3] = field
  }

  _grow () {
    const old = this._entries
    const capacity = (this._mask + 1) * 2
    this._entries = new Int32Array(capacity * STRIDE)
    this._mask = capacity - 1
    for (let e = 0; e < old.length; e += STRIDE) {
      if (old[e + 3] !== 0) this._put(old[e], old[e + 1], old[e + 2], old[e + 3])
    }
  }
}

/**
 * @param {number} a
 * @param {number} b
 * @param {number} c
 */
function hash (a, b, c) {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  return h ^ (h >>> 13)
}

module.exports = TripleTable
