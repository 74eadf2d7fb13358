// An ES module under TypeScript: the default import is the function and carries the types.
import HypertracePrometheus from 'hypertrace-prometheus'
import type { Options, TraceFunction } from 'hypertrace-prometheus'

const options: Options = { port: 0 }
const traceFunction: TraceFunction = HypertracePrometheus(options)
const again: HypertracePrometheus.TraceFunction = traceFunction
const page: string = await again.metrics()
await again.stop()
console.log(page)

// @ts-expect-error the host is a string
HypertracePrometheus({ host: 1 })
