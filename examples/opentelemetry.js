'use strict'

// Pushes counts by OTLP, with the SDK of OpenTelemetry. This example needs two more packages:
//
//   npm install --no-save @opentelemetry/exporter-metrics-otlp-proto @opentelemetry/resources
//   OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:9090/api/v1/otlp/v1/metrics \
//     node examples/opentelemetry.js [--for seconds] [--every milliseconds]
//
// With --web.enable-otlp-receiver, Prometheus receives counts at this URL.

const { randomUUID } = require('node:crypto')
const { parseArgs } = require('node:util')

const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-proto')
const { resourceFromAttributes } = require('@opentelemetry/resources')
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics')
const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const { values } = parseArgs({
  options: { for: { type: 'string', default: '3600' }, every: { type: 'string', default: '5000' } }
})

const traceFunction = HypertracePrometheus()
setTraceFunction(traceFunction) // before the traced objects are created

const reader = new PeriodicExportingMetricReader({
  exporter: new OTLPMetricExporter(),
  exportIntervalMillis: Number(values.every),
  metricProducers: [traceFunction.metricProducer({ collectDefaults: true })]
})
const provider = new MeterProvider({
  readers: [reader],
  resource: resourceFromAttributes({ 'service.name': 'example', 'service.instance.id': randomUUID() })
})

let calls = 0
const timer = setInterval(() => {
  new SomeModule().get()
  calls++
}, 100)

async function end () {
  clearInterval(timer)
  clearTimeout(limit)
  await provider.shutdown() // pushes the last counts
  console.log(`Calls: ${calls}`)
}
const limit = setTimeout(end, Number(values.for) * 1000)
process.once('SIGINT', end)
console.log('Ctrl-C ends this example.')
