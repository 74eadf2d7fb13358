'use strict'

/*
 * The implementations that are measured. Each function returns the same interface:
 *
 *   trace(payload)   the trace function for hypertrace
 *   metrics()        resolves to the page
 *   port()           the port of the server, with the option `port`
 *
 * With the property `anyPort`, the option `port` can be 0.
 *
 * A function throws if this Node.js or this installation cannot load its implementation; the column then stays empty.
 */

const { createRequire } = require('node:module')
const http = require('node:http')

/** @typedef {{ allowedProps?: string[], port?: number, register?: any, maxSeries?: number, history?: number, cluster?: boolean }} Options */

/** More series than most rows make, so that no implementation reaches its limit. */
const MAX_SERIES = 200_000

const LABELS = [
  'id', 'object_classname', 'object_id', 'parent_object_classname', 'parent_object_id', 'caller_functionname', 'caller_filename'
]

/** @param {Options} [options] */
function ours ({ allowedProps = [], port, register, maxSeries = MAX_SERIES, history, cluster } = {}) {
  const HypertracePrometheus = require('..')
  const trace = HypertracePrometheus({ allowedProps, port, register, maxSeries, history, cluster })
  return { trace, metrics: trace.metrics, port: () => trace.address().port, register }
}
ours.registry = () => new (require('prom-client').Registry)()
ours.anyPort = true

/** @param {Options} [options] */
function reference ({ allowedProps = [], port, register } = {}) {
  const trace = require('hypertrace-prometheus-reference')({ allowedProps, port, register })
  return { trace, metrics: trace.metrics, port: () => port, register }
}
const clientOfReference = () => createRequire(require.resolve('hypertrace-prometheus-reference'))('prom-client')
reference.registry = () => new (clientOfReference().Registry)()
/** Returns a registry that collects the registries of all processes of a cluster. */
reference.aggregator = () => new (clientOfReference().AggregatorRegistry)()
/** Lets the primary process collect this registry of a worker. */
reference.aggregate = (registry) => {
  reference.aggregator()
  clientOfReference().AggregatorRegistry.setRegistries(registry)
}

/** Returns the labels of a payload, as an application would set them on its own counter. */
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
 * The lower limit of the cost of a call: one look-up by line and column, one by the object's id, and one addition. This
 * implementation does not verify the look-ups, so its counts would be wrong: functions of different files can have the same position.
 */
function limit () {
  const sites = new Map()
  const counts = new Float64Array(MAX_SERIES)
  let used = 0

  function trace ({ object, caller }) {
    const position = caller.line * 1024 + caller.column
    const slots = sites.get(position)
    if (slots === undefined || slots[object.id] === undefined) return add(position, object.id)
    counts[slots[object.id]]++
  }

  function add (position, objectId) {
    if (!sites.has(position)) sites.set(position, [])
    const slots = sites.get(position)
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
