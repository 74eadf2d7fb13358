'use strict'

let warned = false

/** Says once in a process that series are at their bound, and what to do. */
function warnOfBound (maxSeries) {
  if (warned || typeof process === 'undefined' || typeof process.emitWarning !== 'function') return
  warned = true
  process.emitWarning(`The trace counter nears its bound of ${maxSeries} series: new label sets are ` +
    'counted without object ids and properties from here on. No count is lost.', {
    type: 'HypertraceWarning',
    code: 'HYPERTRACE_MAX_SERIES',
    detail: "Leave labels out with omitLabels: ['object_id', 'parent_object_id'], allow fewer props, or raise maxSeries."
  })
}

module.exports = warnOfBound
