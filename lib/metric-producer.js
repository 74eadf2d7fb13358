'use strict'

/*
 * Metric producers: what a metric reader of OpenTelemetry's SDK accepts in `metricProducers`. The SDK
 * reads only `collect` and the fields of its result, so objects with these fields are returned, and no
 * package of OpenTelemetry is a dependency.
 *
 * Runs on the JavaScript thread, when a reader collects. The event loop turns between the steps in which
 * the series are read.
 */

const { invalidType } = require('./errors')
const { labelObject } = require('./series')
const version = require('./version')

/**
 * @typedef {import('../binding').JsFamily} Family
 * @typedef {import('./series').Time} Time
 * @typedef {import('../index').MetricProducer} MetricProducer
 * @typedef {import('../index').MetricProducerOptions} MetricProducerOptions
 * @typedef {import('../index').CollectedMetric} CollectedMetric
 * @typedef {import('../index').DataPoint<number>} NumberPoint
 * @typedef {import('../index').DataPoint<import('../index').CollectedHistogram>} HistogramPoint
 *
 * @typedef {object} Source
 * @property {string} name of the counter
 * @property {string} help of the counter
 * @property {boolean} startAtZero the default of that option
 * @property {Time} opened when the counts began
 * @property {import('./series').ReadSeries} readSeries
 * @property {() => void} sweep expires idle series
 * @property {() => Family[]} families reads the default families
 *
 * @typedef {object} Pushes the collections of one producer for a reader that pushes
 * @property {Time} last the time of the last collection
 * @property {WeakSet<import('./series').Series>} shown the series that a collection has contained
 */

// The numbers of enumerations of the SDK and of its API.
const VALUE_TYPE = { int: /** @type {const} */ (0), double: /** @type {const} */ (1) }
const POINT_TYPE = { histogram: /** @type {const} */ (0), gauge: /** @type {const} */ (2), sum: /** @type {const} */ (3) }
const CUMULATIVE = /** @type {const} */ (1)

/** A point at 0 that is older than this is left out, because Prometheus rejects samples that are an hour old. */
const OLDEST_ZERO_S = 30 * 60

// The SDK shows the resource of its own producer.
const RESOURCE = Object.freeze({ attributes: Object.freeze({}), merge: (/** @type {any} */ other) => other, getRawAttributes: () => [] })

let lastNumber = 0

/**
 * Returns a producer of the counter. The producer is also a function, which returns producers with options.
 *
 * @param {Source} source
 * @returns {import('../index').TraceFunction['metricProducer']}
 */
function createMetricProducer (source) {
  return Object.assign(
    (/** @type {MetricProducerOptions | null | undefined} */ options) => producerOf(source, readOptions(options, source)),
    producerOf(source, readOptions(null, source))
  )
}

/**
 * @param {unknown} given
 * @param {Source} source
 * @returns {{ collectDefaults: boolean, startAtZero: boolean }}
 * @throws {TypeError}
 */
function readOptions (given, { startAtZero }) {
  if (given === undefined || given === null) given = {}
  if (typeof given !== 'object' || Array.isArray(given)) throw invalidType('options', 'an object', given)
  const options = /** @type {Record<string, unknown>} */ (given)
  return {
    collectDefaults: readBoolean('collectDefaults', options.collectDefaults, false),
    startAtZero: readBoolean('startAtZero', options.startAtZero, startAtZero)
  }
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {boolean} absent
 */
function readBoolean (option, value, absent) {
  if (value === undefined || value === null) return absent
  if (typeof value !== 'boolean') throw invalidType(option, 'a boolean', value)
  return value
}

/**
 * @param {Source} source
 * @param {{ collectDefaults: boolean, startAtZero: boolean }} options
 * @returns {MetricProducer}
 */
function producerOf (source, { collectDefaults, startAtZero }) {
  const number = ++lastNumber
  /** @type {Pushes} */
  const pushes = { last: [0, 0], shown: new WeakSet() }

  return {
    async collect (options) {
      // Only a reader that pushes passes a time-out. On a page, such as the page of the SDK's Prometheus
      // exporter, a series can have only one point.
      const isPush = options?.timeoutMillis !== undefined
      source.sweep()
      const { points, time } = await readPoints(source.readSeries, number, startAtZero && isPush ? pushes : null)

      const { name, help } = source
      const metrics = points.length > 0 ? [sumOf({ name, help }, points, VALUE_TYPE.int)] : []
      const errors = []
      if (collectDefaults) {
        try {
          const isFirst = startAtZero && isPush && pushes.last[0] === 0
          metrics.push(...defaultMetrics(source.families(), source.opened, time, isFirst))
        } catch (error) {
          errors.push(error)
        }
      }
      if (isPush) pushes.last = time
      const scope = { name: 'hypertrace-prometheus', version }
      const scopeMetrics = metrics.length > 0 ? [{ scope, metrics }] : []
      return { resourceMetrics: { resource: RESOURCE, scopeMetrics }, errors }
    }
  }
}

/**
 * @param {import('./series').ReadSeries} readSeries
 * @param {number} number of the producer
 * @param {Pushes | null} pushes `null`: without points at 0
 * @returns {Promise<{ points: NumberPoint[], time: Time }>}
 */
async function readPoints (readSeries, number, pushes) {
  /** @type {NumberPoint[]} */
  const points = []
  // All points have the time of the end of the reading, because no value is newer.
  /** @type {Time} */
  const time = [0, 0]
  const reading = readSeries((series, value) => {
    const { start, labels } = series
    if (pushes !== null && !pushes.shown.has(series)) {
      pushes.shown.add(series)
      points.push(zeroPoint(labels, isAfter(start, pushes.last) ? millisecondBefore(start) : pushes.last))
    }
    points.push({ startTime: start, endTime: time, attributes: labels, value })
  }, number)
  try {
    while (reading.step()) await reading.pause()
    Object.assign(time, reading.complete())
  } finally {
    reading.end()
  }
  return { points: pushes === null ? points : withoutOldZeros(points, time), time }
}

/**
 * Returns a point at 0, for the first collection that contains a series. Receivers compute an increase from the
 * difference between two points, so without this point the first value of a series would not be in any increase. Its
 * time is a millisecond before the first call, because Prometheus stores one sample for a millisecond.
 *
 * @param {Record<string, string>} attributes
 * @param {Time} time
 * @returns {NumberPoint}
 */
function zeroPoint (attributes, time) {
  return { startTime: time, endTime: time, attributes, value: 0 }
}

/**
 * @param {NumberPoint[]} points
 * @param {Time} time
 */
function withoutOldZeros (points, time) {
  return points.filter(({ endTime }) => time[0] - endTime[0] < OLDEST_ZERO_S)
}

/**
 * @param {Time} time
 * @param {Time} other
 */
function isAfter (time, other) {
  return time[0] > other[0] || (time[0] === other[0] && time[1] > other[1])
}

/**
 * @param {Time} time
 * @returns {Time}
 */
function millisecondBefore ([seconds, nanoseconds]) {
  return nanoseconds >= 1e6 ? [seconds, nanoseconds - 1e6] : [seconds - 1, nanoseconds + 1e9 - 1e6]
}

/**
 * @param {Family[]} families
 * @param {Time} opened when the counts of `nodejs_*` and `hypertrace_*` began
 * @param {Time} time
 * @param {boolean} withZeros adds points at 0 to counters
 * @returns {CollectedMetric[]} without families that have no samples
 */
function defaultMetrics (families, opened, time, withZeros) {
  const startOfProcess = families.find(({ name }) => name.endsWith('process_start_time_seconds'))?.samples[0]?.value
  return families.filter(({ samples }) => samples.length > 0).map((family) => {
    const start = startOfProcess !== undefined && /process_cpu_/.test(family.name) ? timeOf(startOfProcess) : opened
    if (family.type === 'histogram') {
      return { ...headerOf(family, VALUE_TYPE.double), dataPointType: POINT_TYPE.histogram, dataPoints: histogramPoints(family, start, time) }
    }
    const points = family.samples.map(({ labels, value }) => ({ startTime: start, endTime: time, attributes: labelObject(labels), value }))
    if (family.type === 'gauge') return { ...headerOf(family, VALUE_TYPE.double), dataPointType: POINT_TYPE.gauge, dataPoints: points }
    const zeros = withZeros ? points.map(({ attributes }) => zeroPoint(attributes, start)) : []
    return sumOf(family, withoutOldZeros([...zeros, ...points], time), VALUE_TYPE.double)
  })
}

/**
 * @param {Pick<Family, 'name' | 'help'>} family
 * @param {NumberPoint[]} dataPoints
 * @param {0 | 1} valueType
 * @returns {CollectedMetric}
 */
function sumOf (family, dataPoints, valueType) {
  return { ...headerOf(family, valueType), dataPointType: POINT_TYPE.sum, isMonotonic: true, dataPoints }
}

/**
 * @param {Pick<Family, 'name' | 'help'>} family
 * @param {0 | 1} valueType
 */
function headerOf ({ name, help }, valueType) {
  return { descriptor: { name, description: help, unit: '', valueType }, aggregationTemporality: CUMULATIVE }
}

/**
 * @param {Family} family a histogram, as the lines of a page
 * @param {Time} startTime
 * @param {Time} endTime
 * @returns {HistogramPoint[]}
 */
function histogramPoints ({ name, samples }, startTime, endTime) {
  /** @type {Map<string, HistogramPoint>} */
  const points = new Map()
  for (const sample of samples) {
    const { le, ...attributes } = labelObject(sample.labels)
    const key = JSON.stringify(attributes)
    const point = points.get(key) ?? { startTime, endTime, attributes, value: { buckets: { boundaries: [], counts: [] }, sum: 0, count: 0 } }
    points.set(key, point)
    const { buckets, count } = point.value
    if (sample.name === `${name}_bucket`) {
      if (le !== '+Inf') buckets.boundaries.push(Number(le))
      buckets.counts.push(sample.value - count)
      point.value.count = sample.value // of all lines so far: the count of a line includes the counts of the lines before
    } else if (sample.name === `${name}_sum`) {
      point.value.sum = sample.value
    }
  }
  return [...points.values()]
}

/**
 * @param {number} seconds
 * @returns {Time}
 */
function timeOf (seconds) {
  const whole = Math.floor(seconds)
  return [whole, Math.round((seconds - whole) * 1e9)]
}

module.exports = { createMetricProducer }
