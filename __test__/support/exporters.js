'use strict'

const { parse } = require('./exposition')
const HypertracePrometheus = require('../..')

/** Starts the exporters of one test file, and stops them. */
function createExporters () {
  let started = []

  /**
   * Starts an exporter, without default metrics unless an option enables them. Without `options` the exporter gets no argument.
   * @param {object} [options]
   */
  function start (options) {
    const traceFunction = options === undefined
      ? HypertracePrometheus()
      : HypertracePrometheus({ collectDefaults: false, ...options })
    started.push(traceFunction)
    return traceFunction
  }

  async function stopAll () {
    const stopping = started.map((traceFunction) => traceFunction.stop())
    started = []
    await Promise.all(stopping)
  }

  return { start, stopAll }
}

/** The labels of every series of the counter, in the order of the page. */
async function labelSets (traceFunction) {
  return parse(await traceFunction.metrics()).get('trace_counter').samples.map(({ labels }) => labels)
}

module.exports = { createExporters, labelSets }
