'use strict'

const { Exporter } = require('./binding')
const createTrace = require('./lib/trace')
const { readOptions } = require('./lib/options')

function HypertracePrometheus (opts) {
  const options = readOptions(opts)
  const exporter = new Exporter(options)
  const counter = {
    intern: (values) => {
      const slot = exporter.intern(values)
      return slot < 0 ? -1 - slot : slot
    },
    lendPage: (index, page) => exporter.lendPage(index, page)
  }
  const { trace } = createTrace(counter, {
    ...options,
    places: exporter.places,
    cacheLimit: Math.max(65_536, 4 * options.maxSeries)
  })
  trace.metrics = () => exporter.metrics()
  return trace
}

module.exports = HypertracePrometheus
