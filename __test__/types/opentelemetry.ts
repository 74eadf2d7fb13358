// Passes the producer to a metric reader of the SDK.
import { InMemoryMetricExporter, PeriodicExportingMetricReader, type MetricProducer } from '@opentelemetry/sdk-metrics'
import HypertracePrometheus, { type MetricProducerOptions } from 'hypertrace-prometheus'

const { metricProducer } = HypertracePrometheus()
const options: MetricProducerOptions = { collectDefaults: true, startAtZero: false }
const metricProducers: MetricProducer[] = [metricProducer, metricProducer(), metricProducer(options), metricProducer(null)]
console.log(new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(1), metricProducers }))

// @ts-expect-error no such option
metricProducer({ defaults: true })
