'use strict'

/*
 * What is measured side by side. Each function here gives the same three things, whatever is behind them:
 *
 *   trace(payload)   what hypertrace calls
 *   metrics()        the page, as a promise
 *   port()           where the page is served, if one was asked for (`anyPort`: 0 will do)
 *
 * A candidate that this Node.js or this installation cannot load throws; its column is then left empty.
 */

const { createRequire } = require('node:module')
const http = require('node:http')

/** @typedef {{ allowedProps?: string[], port?: number, register?: any, maxSeries?: number }} Options */

/** More than a row has that does not say otherwise, so that nobody's bound comes into play. */
const MAX_SERIES = 200_000

const LABELS = [
  'id', 'object_classname', 'object_id', 'parent_object_classname', 'parent_object_id', 'caller_functionname', 'caller_filename'
]

/** @param {Options} [options] */
function ours ({ allowedProps = [], port, register, maxSeries = MAX_SERIES } = {}) {
  const HypertracePrometheus = require('..')
  const trace = HypertracePrometheus({ allowedProps, port, register, maxSeries })
  return { trace, metrics: trace.metrics, port: () => trace.address().port, register }
}
ours.registry = () => new (require('prom-client').Registry)()
ours.anyPort = true

/** @param {Options} [options] */
function reference ({ allowedProps = [], port, register } = {}) {
  const trace = require('hypertrace-prometheus-reference')({ allowedProps, port, register })
  return { trace, metrics: trace.metrics, port: () => port, register }
}
reference.registry = () => {
  const requireFromReference = createRequire(require.resolve('hypertrace-prometheus-reference'))
  return new (requireFromReference('prom-client').Registry)()
}

/** The labels of a payload, as an application would write them down for a counter of its own. */
function labelsOf ({ id, object, parentObject, caller }, allowedProps) {
  const labels = {
    object_classname: object.className,
    object_id: object.id,
    caller_functionname: caller.functionName,
    caller_filename: caller.filename
  }
  if (id) labels.id = id
  if (parentObject) {
    labels.parent_object_classname = parentObject.className
    labels.parent_object_id = parentObject.id
  }
  for (const name of allowedProps) {
    const value = caller.props?.[name]
    if (value !== undefined) labels[`caller_props_${name}`] = value
  }
  return labels
}

/** @param {Options} [options] */
function promClient ({ allowedProps = [], port } = {}) {
  const { Counter, Registry, collectDefaultMetrics } = require('@prometheus-io/client')
  const register = new Registry()
  const labelNames = [...LABELS, ...allowedProps.map((name) => `caller_props_${name}`)]
  const counter = new Counter({ name: 'trace_counter', help: 'Calls', labelNames, registers: [register] })
  collectDefaultMetrics({ register })
  const metrics = () => register.metrics()
  if (port) {
    http.createServer(async (request, response) => {
      response.setHeader('Content-Type', register.contentType)
      response.end(await metrics())
    }).listen(port)
  }
  return { trace: (payload) => counter.inc(labelsOf(payload, allowedProps)), metrics, port: () => port }
}

/** @param {Options} [options] */
function openTelemetry ({ allowedProps = [], port } = {}) {
  const { MeterProvider } = require('@opentelemetry/sdk-metrics')
  const { PrometheusExporter, PrometheusSerializer } = require('@opentelemetry/exporter-prometheus')
  const reader = new PrometheusExporter({ port, preventServerStart: !port })
  const provider = new MeterProvider({
    readers: [reader],
    views: [{ instrumentName: 'trace_counter', aggregationCardinalityLimit: MAX_SERIES }]
  })
  const counter = provider.getMeter('benchmark').createCounter('trace_counter')
  const serializer = new PrometheusSerializer()
  const metrics = async () => serializer.serialize((await reader.collect()).resourceMetrics)
  return { trace: (payload) => counter.add(1, labelsOf(payload, allowedProps)), metrics, port: () => port }
}

/**
 * As little as a call can cost that finds one of so many counts: one look-up by line and column, one by the object's number,
 * neither verified, and an addition. It would take two functions of two files for one.
 */
function limit () {
  const sites = new Map()
  const counts = new Float64Array(MAX_SERIES)
  let used = 0

  function trace ({ object, caller }) {
    const place = caller.line * 1024 + caller.column
    const slots = sites.get(place)
    if (slots === undefined || slots[object.id] === undefined) return add(place, object.id)
    counts[slots[object.id]]++
  }

  function add (place, objectId) {
    if (!sites.has(place)) sites.set(place, [])
    const slots = sites.get(place)
    while (slots.length <= objectId) slots.push(undefined)
    slots[objectId] = used
    counts[used++]++
  }
  return { trace }
}

module.exports = {
  ours,
  '1.0.0': reference,
  '@prometheus-io/client': promClient,
  OpenTelemetry: openTelemetry,
  limit
}
