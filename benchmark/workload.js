'use strict'

/*
 * An application with the structure of hypercore. It has objects of one class, ten for each parent. Each object makes calls at four
 * call sites, all with an id. hypertrace makes the payloads, so each payload has new strings, as in a real application.
 */

const { setTraceFunction, clearTraceFunction, createTracer } = require('hypertrace')

const SITES = 4
const CHILDREN = 10

class Core {
  constructor () { this.tracer = createTracer(this) }
}

class Session {
  constructor (parent, number) {
    this.number = number
    this.tracer = createTracer(this, { parent: parent.tracer })
  }

  get (props) { this.tracer.trace('get', props) }
  append (props) { this.tracer.trace('append', props) }
  download (props) { this.tracer.trace('download', props) }
  replicate (props) { this.tracer.trace('replicate', props) }
}

const METHODS = ['get', 'append', 'download', 'replicate']

class Application {
  /**
   * @param {{ withProps?: boolean }} [options]
   */
  constructor ({ withProps = false } = {}) {
    this.withProps = withProps
    this.sessions = []
    this.parent = null
    this._random = 1
    this._batch = []
    this._record = (payload) => { this._batch.push(payload) }
  }

  /** Creates objects until there are this many. Each object has four series. */
  grow (objects) {
    setTraceFunction(this._record) // hypertrace creates tracers only while a trace function is set
    while (this.sessions.length < objects) {
      if (this.sessions.length % CHILDREN === 0) this.parent = new Core()
      this.sessions.push(new Session(this.parent, this.sessions.length))
    }
    clearTraceFunction()
  }

  /** Returns the payloads of one call for each number: series n is call site n % 4 of object n / 4. */
  record (numbers) {
    this._batch = []
    setTraceFunction(this._record)
    for (const number of numbers) this._call(number)
    clearTraceFunction()
    return this._batch
  }

  /** Returns the payloads of calls of random series among the first `series`. */
  recordSpread (series, calls) {
    const numbers = new Array(calls)
    for (let i = 0; i < calls; i++) numbers[i] = this._below(series)
    return this.record(numbers)
  }

  _call (number) {
    const session = this.sessions[Math.floor(number / SITES)]
    session[METHODS[number % SITES]](this.withProps ? propsOf(session.number) : undefined)
  }

  _below (n) {
    this._random = Math.imul(this._random, 1664525) + 1013904223 | 0
    return Math.floor((this._random >>> 0) / 4294967296 * n)
  }
}

/** Returns four props of the kinds that hypercore, hyperdht and protomux pass. An object passes the same props in each call. */
function propsOf (number) {
  return { index: number, id: number % 16, type: number % 2 ? 'block' : 'hash', value: `value ${number % 10}` }
}

/** Yields the numbers below `count` in batches. */
function * batches (count, size) {
  for (let from = 0; from < count; from += size) {
    yield Array.from({ length: Math.min(size, count - from) }, (_, i) => from + i)
  }
}

module.exports = { Application, SITES, batches, PROPS: ['index', 'id', 'type', 'value'] }
