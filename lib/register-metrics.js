'use strict'

/*
 * The exporter's metrics in a registry of the user's own. A registry of prom-client (14, 15), of
 * @prometheus-io/client or of a fork touches only a metric's `name`, `get`, `getForPromString` and
 * `reset`, and the fields of what `get` resolves to, so plain objects of that shape are registered
 * and none of these packages is depended on.
 *
 * Runs on the JavaScript thread, when the registry is rendered.
 */

const { invalidValue } = require('./errors')

/**
 * @typedef {{ name: string, help: string, type: string, aggregator: string, samples: FamilySample[] }} Family
 * @typedef {{ name: string, labels: string[], value: number }} FamilySample `labels` are names and
 *   values in turn
 *
 * @typedef {object} CounterSource
 * @property {(from: number) => string[][]} labelsFrom the labels of the series from a slot on
 * @property {() => Float64Array} values by slot
 * @property {number} reusedSlots how often a slot has been given to another series
 * @property {() => void} reset
 */

const NO_LABELS = Object.freeze({})

/** The trace counter as a registry sees it. */
class CounterMetric {
  /**
   * @param {string} name
   * @param {string} help
   * @param {CounterSource} source
   */
  constructor (name, help, source) {
    this.name = name
    this.help = help
    this.type = 'counter'
    this.aggregator = 'sum'
    this._source = source
    /** @type {Record<string, string>[]} by slot; the same object each time, as registries cache by it */
    this._labels = []
    this._reusedSlots = source.reusedSlots
  }

  async get () {
    return this._collect((labels, value) => ({ value, labels }))
  }

  /** Labels that are `sharedLabels` are written out once and not again at each scrape. */
  async getForPromString () {
    return this._collect((sharedLabels, value) => ({ value, labels: NO_LABELS, sharedLabels }))
  }

  reset () {
    this._source.reset()
  }

  _collect (toValue) {
    const { reusedSlots } = this._source
    if (this._reusedSlots !== reusedSlots) this._labels = []
    this._reusedSlots = reusedSlots
    const counts = this._source.values()
    if (this._labels.length < counts.length) {
      for (const labels of this._source.labelsFrom(this._labels.length)) {
        this._labels.push(labelObject(labels))
      }
    }
    const values = []
    for (let slot = 0; slot < counts.length; slot++) {
      if (counts[slot] !== 0) values.push(toValue(this._labels[slot], counts[slot]))
    }
    const { name, help, type, aggregator } = this
    return { name, help, type, aggregator, values }
  }
}

/** One family of the default metrics as a registry sees it. */
class DefaultMetric {
  /**
   * @param {Family} family
   * @param {() => Map<string, Family>} collect
   */
  constructor (family, collect) {
    this.name = family.name
    this.help = family.help
    this.type = family.type
    this.aggregator = family.aggregator
    this._family = family.name
    this._collect = collect
  }

  async get () {
    const family = this._collect().get(this._family)
    const { name, help, type, aggregator } = this
    const values = family === undefined ? [] : family.samples.map((sample) => toValue(sample, family))
    return { name, help, type, aggregator, values }
  }

  /** Figures of the runtime cannot be set back. */
  reset () {}
}

function toValue (sample, family) {
  const value = { value: sample.value, labels: labelObject(sample.labels) }
  return sample.name === family.name ? value : { ...value, metricName: sample.name }
}

/** @returns {Record<string, string>} */
function labelObject (flat) {
  /** @type {Record<string, string>} */
  const labels = {}
  for (let i = 0; i < flat.length; i += 2) labels[flat[i]] = flat[i + 1]
  return labels
}

/**
 * Registers the counter and the default families.
 *
 * @param {any} register
 * @param {object} metrics
 * @param {string} metrics.name of the counter
 * @param {string} metrics.help
 * @param {CounterSource} metrics.source
 * @param {(() => Family[]) | null} metrics.families reads the default families; null for none
 * @returns {() => void} removes all that was registered
 */
function registerMetrics (register, { name, help, source, families }) {
  const registered = []
  const add = (metric) => {
    const { name } = metric
    register.registerMetric(metric)
    registered.push({ name, metric })
  }
  const remove = () => {
    for (const { name, metric } of registered.splice(0)) {
      if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name)
    }
  }
  if (register.getSingleMetric(name) !== undefined) {
    throw invalidValue('register', `a registry that does not hold a metric named ${name} yet (see the option "metricName")`, register)
  }
  try {
    add(new CounterMetric(name, help, source))
    if (families !== null) {
      const collect = oncePerTurn(() => new Map(families().map((family) => [family.name, family])))
      for (const family of collect().values()) {
        // What the registry holds already is left to its owner.
        if (register.getSingleMetric(family.name) !== undefined) continue
        add(new DefaultMetric(family, collect))
      }
    }
  } catch (error) {
    remove()
    throw error
  }
  return remove
}

/**
 * A registry asks every metric in one turn: they share one reading.
 *
 * @template T
 * @param {() => T} read
 * @returns {() => T}
 */
function oncePerTurn (read) {
  /** @type {T | null} */
  let result = null
  return () => {
    if (result === null) {
      result = read()
      Promise.resolve().then(() => { result = null })
    }
    return result
  }
}

module.exports = { registerMetrics }
