'use strict'

/*
 * Puts the exporter's metrics into a register of the user. A registry of prom-client (14, 15), of
 * @prometheus-io/client or of a fork reads only a metric's `name`, `get`, `getForPromString` and
 * `reset`, and the fields of the result of `get`. So objects with these fields are registered, and none
 * of these packages is a dependency.
 *
 * Runs on the JavaScript thread, when the register is rendered. The exporter is held by closures, so
 * that it cannot be reached from a metric.
 */

const { invalidValue } = require('./errors')
const { labelObject } = require('./series')

/**
 * @typedef {import('../binding').JsFamily} Family
 * @typedef {import('../index').Registry} Registry
 * @typedef {Record<string, string>} Labels
 * @typedef {{ value: number, labels: Labels, sharedLabels?: Labels, metricName?: string }} Value
 *
 * @typedef {object} Metric
 * @property {string} name
 * @property {string} help
 * @property {string} type
 * @property {string} aggregator
 * @property {() => Promise<object>} get
 * @property {() => Promise<object>} [getForPromString]
 * @property {() => void} reset
 */

const NO_LABELS = Object.freeze({})

/**
 * Returns the trace counter in the form that a registry reads.
 *
 * @param {string} name
 * @param {string} help
 * @param {import('./series').ReadSeries} readSeries
 * @param {() => void} sweep expires idle series
 * @param {() => void} reset sets every series to 0
 * @returns {Metric}
 */
function counterMetric (name, help, readSeries, sweep, reset) {
  /** @param {(labels: Labels, value: number) => Value} toValue */
  const collect = (toValue) => {
    sweep()
    /** @type {Value[]} */
    const values = []
    // All series are read in one turn of the event loop, because a registry formats all values in one turn as well.
    const reading = readSeries(({ labels }, value) => { values.push(toValue(labels, value)) })
    try {
      while (reading.step());
      reading.complete()
    } finally {
      reading.end()
    }
    return { ...headerOf(metric), values }
  }

  /** @type {Metric} */
  const metric = {
    name,
    help,
    type: 'counter',
    aggregator: 'sum',
    // A registry caches text by the objects of labels. These are the same objects at each scrape.
    get: async () => collect((labels, value) => ({ value, labels })),
    // A registry formats `sharedLabels` once and not at each scrape.
    getForPromString: async () => collect((sharedLabels, value) => ({ value, labels: NO_LABELS, sharedLabels })),
    reset
  }
  return metric
}

/**
 * Returns the fields that a registry reads besides the values. They are read from the metric each time, because a
 * registry in OpenMetrics mode changes the name of a metric.
 *
 * @param {Metric} metric
 */
function headerOf ({ name, help, type, aggregator }) {
  return { name, help, type, aggregator }
}

/**
 * Returns a family of the default metrics in the form that a registry reads.
 *
 * @param {Family} family
 * @param {() => Map<string, Family>} collect
 * @returns {Metric}
 */
function defaultMetric ({ name, help, type, aggregator }, collect) {
  /** @type {Metric} */
  const metric = {
    name,
    help,
    type,
    aggregator,
    get: async () => {
      const family = collect().get(name)
      return { ...headerOf(metric), values: family === undefined ? [] : family.samples.map((sample) => toValue(sample, name)) }
    },
    // The figures of the runtime cannot be reset.
    reset: () => {}
  }
  return metric
}

/**
 * @param {import('../binding').JsSample} sample
 * @param {string} familyName
 * @returns {Value}
 */
function toValue ({ name, labels, value }, familyName) {
  const sample = { value, labels: labelObject(labels) }
  return name === familyName ? sample : { ...sample, metricName: name }
}

/**
 * @param {Registry} register
 * @param {string} name of the trace counter
 * @throws {TypeError} if the register has a metric of that name
 */
function checkRegister (register, name) {
  if (register.getSingleMetric(name) === undefined) return
  throw invalidValue('register', `a registry that does not hold a metric named ${name} yet (see the option "metricName")`, register)
}

/**
 * Registers the trace counter and the default families.
 *
 * @param {Registry} register
 * @param {object} metrics
 * @param {string} metrics.name of the trace counter
 * @param {string} metrics.help of the trace counter
 * @param {import('./series').ReadSeries} metrics.readSeries
 * @param {() => void} metrics.sweep expires idle series
 * @param {() => void} metrics.reset sets every series to 0
 * @param {() => Family[]} metrics.families reads the default families
 * @param {boolean} metrics.hasFamilies registers the default families too
 * @returns {() => void} removes all that was registered; does not throw
 */
function registerMetrics (register, { name, help, readSeries, sweep, reset, families, hasFamilies }) {
  /** @type {Map<string, Metric>} */
  const registered = new Map()
  let stopYielding = () => {}
  /** @param {Metric} metric */
  const add = (metric) => {
    const { name } = metric
    register.registerMetric(metric)
    registered.set(name, metric)
  }
  const remove = () => {
    stopYielding()
    for (const [name, metric] of registered) {
      try {
        if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name)
      } catch {} // an error of the register must not prevent the end of the exporter
    }
    registered.clear()
  }
  try {
    add(counterMetric(name, help, readSeries, sweep, reset))
    if (hasFamilies) {
      const collect = oncePerTurn(() => new Map(families().map((family) => [family.name, family])))
      for (const family of collect().values()) {
        // A family of this name that the register has already is not replaced.
        if (register.getSingleMetric(family.name) === undefined) add(defaultMetric(family, collect))
      }
      stopYielding = yieldNames(register, registered, name)
    }
  } catch (error) {
    remove()
    throw error
  }
  return remove
}

/**
 * Lets the application register metrics with the names of the default families. Such a metric replaces the family. Without
 * this, `collectDefaultMetrics()` of prom-client (HyperInstrument calls it) would throw, because the name is registered.
 *
 * @param {Registry} register
 * @param {Map<string, Metric>} registered
 * @param {string} counterName the name of the counter, which nothing replaces
 * @returns {() => void} restores `registerMetric`; does not throw
 */
function yieldNames (register, registered, counterName) {
  const before = Object.getOwnPropertyDescriptor(register, 'registerMetric')
  const original = register.registerMetric
  /**
   * @this {Registry}
   * @param {any} metric
   */
  const registerMetric = function (metric) {
    const name = metric?.name
    const held = name === counterName ? undefined : registered.get(name)
    if (held !== undefined && held !== metric && this === register && register.getSingleMetric(name) === held) {
      register.removeSingleMetric(name)
      registered.delete(name)
    }
    return original.call(this, metric)
  }
  try {
    Object.defineProperty(register, 'registerMetric', { value: registerMetric, writable: true, configurable: true, enumerable: false })
  } catch {
    return () => {} // a frozen register
  }
  return () => {
    try {
      if (register.registerMetric !== registerMetric) return // the application has replaced it since
      if (before === undefined) Reflect.deleteProperty(register, 'registerMetric')
      else Object.defineProperty(register, 'registerMetric', before)
    } catch {}
  }
}

/**
 * Shares one reading among all metrics: a registry collects them in one turn of the event loop.
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

module.exports = { checkRegister, registerMetrics }
