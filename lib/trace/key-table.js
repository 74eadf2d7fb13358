'use strict'

/*
 * A hash table from lists of 32-bit integers to one integer: the cache of property sets. The keys are
 * records of different lengths in one typed array, which the garbage collector does not traverse.
 */

// Read when this module is loaded, because an application can replace the global.
const { Int32Array } = globalThis

const MIN_BUCKETS = 64
const MIN_RECORDS = 1024

/** A list of integers to look up. One object is used for many lists. */
class Key {
  /** @param {number} most the maximum number of integers */
  constructor (most) {
    this.integers = new Int32Array(most)
    this.length = 0
    this.hash = 0
  }

  /** @param {number} integer the first integer of a new list */
  start (integer) {
    this.integers[0] = integer
    this.length = 1
    this.hash = Math.imul(integer, 0x9e3779b1)
  }

  /**
   * @param {number} a
   * @param {number} b
   */
  push (a, b) {
    const { integers, length } = this
    integers[length] = a
    integers[length + 1] = b
    this.length = length + 2
    const mixed = Math.imul(this.hash ^ Math.imul(a, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35), 0x2c1b3c6d)
    this.hash = mixed ^ (mixed >>> 15)
  }
}

class KeyTable {
  constructor () {
    this.size = 0
    this._mask = 0
    this._buckets = new Int32Array(0)
    this._records = new Int32Array(0)
    this._end = 0
    this.clear()
  }

  clear () {
    this.size = 0
    this._mask = MIN_BUCKETS - 1
    // The start of a record, + 1; 0 for a free bucket. At most half of the buckets are used.
    this._buckets = new Int32Array(MIN_BUCKETS)
    // A record has a hash, a value and a length, and then its integers.
    this._records = new Int32Array(MIN_RECORDS)
    this._end = 0
  }

  /**
   * @param {Key} key
   * @returns {number} the value, or -1
   */
  get ({ integers, length, hash }) {
    const buckets = this._buckets
    const records = this._records
    const mask = this._mask
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const at = buckets[bucket] - 1
      if (at === -1) return -1
      if (records[at] !== hash || records[at + 2] !== length) continue
      let i = 0
      while (i < length && records[at + 3 + i] === integers[i]) i++
      if (i === length) return records[at + 1]
    }
  }

  /**
   * Adds an entry with a new key.
   *
   * @param {Key} key
   * @param {number} value
   */
  add ({ integers, length, hash }, value) {
    if (this.size * 2 > this._mask) this._growBuckets()
    const at = this._end
    const end = at + 3 + length
    if (end > this._records.length) this._growRecords(end)
    const records = this._records
    records[at] = hash
    records[at + 1] = value
    records[at + 2] = length
    for (let i = 0; i < length; i++) records[at + 3 + i] = integers[i]
    this._end = end
    this._put(hash, at)
    this.size++
  }

  /**
   * @param {number} hash
   * @param {number} at
   */
  _put (hash, at) {
    let bucket = hash & this._mask
    while (this._buckets[bucket] !== 0) bucket = (bucket + 1) & this._mask
    this._buckets[bucket] = at + 1
  }

  _growBuckets () {
    const capacity = (this._mask + 1) * 2
    this._buckets = new Int32Array(capacity)
    this._mask = capacity - 1
    for (let at = 0; at < this._end; at += 3 + this._records[at + 2]) this._put(this._records[at], at)
  }

  /** @param {number} least */
  _growRecords (least) {
    const records = new Int32Array(Math.max(least, this._records.length * 2))
    records.set(this._records.subarray(0, this._end))
    this._records = records
  }
}

module.exports = { Key, KeyTable }
