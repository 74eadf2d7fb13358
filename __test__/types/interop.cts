// CommonJS with the default import that esModuleInterop allows.
import HypertracePrometheus from 'hypertrace-prometheus'

const traceFunction: HypertracePrometheus.TraceFunction = HypertracePrometheus()
console.log(traceFunction)

// @ts-expect-error the prefix is a string
HypertracePrometheus({ prefix: 1 })
