'use strict'

// Objects that live for a few calls. No two have the same id, so that a series never begins again.

const { payload } = require('../../__test__/support/payload')

let created = 0

/**
 * Traces one object a few times.
 *
 * @param {import('../../index').TraceFunction} traceFunction
 * @param {string} className
 * @param {{ firstId: number }} ids
 * @param {{ begun: () => void, ended: () => void }} calls
 */
function shortLived (traceFunction, className, { firstId }, { begun, ended }) {
  const id = firstId + created++
  for (let call = id % 4; call >= 0; call--) {
    begun()
    traceFunction(payload({ object: { className, id }, caller: { line: call } }))
    ended()
  }
}

module.exports = { shortLived }
