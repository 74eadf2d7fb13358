// A project with a bundler imports the package like this.
import HypertracePrometheus, { type Address } from 'hypertrace-prometheus'

const address: Address | null = HypertracePrometheus({ port: 0 }).address()
console.log(address)

// @ts-expect-error no such method
HypertracePrometheus().start()
