'use strict'

const { parse } = require('./exposition')
const HypertracePrometheus = require('../..')

/** Starts exporters for one test file, and stops all of them. */
function createExporters () {
  let started = []

  /**
   * Without default metrics unless they are asked for; without any argument where none is given.
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

/** The labels of every series of the counter, in the page's order. */
async function labelSets (traceFunction) {
  return parse(await traceFunction.metrics()).get('trace_counter').samples.map(({ labels }) => labels)
}

module.exports = { createExporters, labelSets }
