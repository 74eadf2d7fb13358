// CommonJS under TypeScript: `import … = require()`, each option, method and type.
import HypertracePrometheus = require('hypertrace-prometheus')
import prometheus = require('prom-client')
import prometheus14 = require('prom-client-14')

const bare: HypertracePrometheus.TraceFunction = HypertracePrometheus()
HypertracePrometheus({})

const options: HypertracePrometheus.Options = {
  port: 4343,
  host: '0.0.0.0',
  register: null,
  collectDefaults: true,
  startAtZero: false,
  cluster: true,
  allowedProps: ['foo'] as const,
  metricName: 'my_trace_counter',
  defaultLabels: { app: 'one', shard: 1 },
  prefix: 'my_',
  omitLabels: ['object_id'],
  maxSeries: 1000,
  maxLabelValueLength: 100,
  auth: { username: 'a', password: 'b' },
  tls: { cert: Buffer.alloc(1), key: 'k', ca: new Uint8Array(1), minVersion: 'TLSv1.3' },
  allowedHosts: ['app.example'] as const
}
const traceFunction = HypertracePrometheus(options)

const payload: HypertracePrometheus.TracePayload = {
  id: null,
  object: { className: 'A', id: 1, props: { foo: 1 }, ctx: {} },
  parentObject: null,
  caller: { functionName: 'f', filename: '/a.js', line: 1, column: 2, props: { bar: Buffer.alloc(1) } }
}
const counted: void = traceFunction(payload)
traceFunction({ object: { className: 'A', id: 1 }, caller: { functionName: 'f', filename: 'a.js' } })

const page: Promise<string> = traceFunction.metrics()
const stopped: Promise<void> = traceFunction.stop()
const type: string = traceFunction.contentType
const source: HypertracePrometheus.MetricsSource = traceFunction.register
const metrics: () => Promise<string> = traceFunction.register.metrics
const same: HypertracePrometheus.TraceFunction = traceFunction.ref().unref()
const address = traceFunction.address()
if (address !== null) {
  const family: 'IPv4' | 'IPv6' = address.family
  const where: string = `${address.address}:${address.port}`
  console.log(family, where)
}
console.log(bare, counted, page, stopped, type, source, metrics, same)

// Registries of the prom-client family.
HypertracePrometheus({ register: new prometheus.Registry() })
HypertracePrometheus({ register: prometheus.register })
HypertracePrometheus({ register: new prometheus14.Registry() })
const openMetrics = new prometheus.Registry<prometheus.OpenMetricsContentType>()
HypertracePrometheus({ register: openMetrics, port: 0 })

HypertracePrometheus({ auth: { bearer: 'token' }, tls: null })
const changed: void = traceFunction.setSecureContext({ cert: '', key: '' })
console.log(changed)

// Mistakes that the compiler must refuse.
// @ts-expect-error a username without a password
HypertracePrometheus({ auth: { username: 'a' } })
// @ts-expect-error both kinds of credentials
HypertracePrometheus({ auth: { username: 'a', password: 'b', bearer: 'c' } })
// @ts-expect-error a certificate has a key
traceFunction.setSecureContext({ cert: '' })
// @ts-expect-error too old
HypertracePrometheus({ tls: { cert: '', key: '', minVersion: 'TLSv1.1' } })
// @ts-expect-error the port is a number or its digits
HypertracePrometheus({ port: true })
// @ts-expect-error names are strings
HypertracePrometheus({ allowedProps: [1] })
HypertracePrometheus({ port: process.env.PORT, maxSeries: process.env.MAX_SERIES, collectDefaults: 'hypertrace' })
HypertracePrometheus({ auth: { bearer: process.env.METRICS_TOKEN } })
HypertracePrometheus({ auth: { username: 'a', password: process.env.METRICS_PASSWORD } })
HypertracePrometheus({ defaultLabels: { canary: true, build: 1n } })
// @ts-expect-error no such label
HypertracePrometheus({ omitLabels: ['object_props_foo'] })
// @ts-expect-error one name is not a list of names
HypertracePrometheus({ omitLabels: 'object_id' })
// @ts-expect-error not a boolean
HypertracePrometheus({ collectDefaults: 'yes' })
// @ts-expect-error a registry has registerMetric
HypertracePrometheus({ register: { metrics: async () => '', contentType: '' } })
// @ts-expect-error no such option
HypertracePrometheus({ prot: 4343 })
// @ts-expect-error it is a function, not a class
console.log(new HypertracePrometheus())
// @ts-expect-error a payload has a caller
traceFunction({ object: { className: 'A', id: 1 } })
// @ts-expect-error null without a server
console.log(traceFunction.address().port)
// @ts-expect-error read-only
traceFunction.contentType = 'text/plain'
