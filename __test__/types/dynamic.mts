// An ES module that imports when it needs to.
const { default: HypertracePrometheus } = await import('hypertrace-prometheus')

const contentType: string = HypertracePrometheus({ collectDefaults: false }).contentType
console.log(contentType)

// @ts-expect-error the bound is a number
HypertracePrometheus({ maxSeries: true })
