'use strict'

// A process of a port that several processes share. Traces one object, whose id is that of the process, until it is killed.

const HypertracePrometheus = require('../..')
const { payload } = require('../../__test__/support/payload')

const CALLS = 5
const traceFunction = HypertracePrometheus({ port: Number(process.argv[2]), host: '127.0.0.1', cluster: true, collectDefaults: false })
let calls = 0

setInterval(() => {
  for (let n = 0; n < CALLS; n++) traceFunction(payload({ object: { className: 'Member', id: process.pid } }))
  calls += CALLS
  process.send?.(calls)
}, 20)
process.once('disconnect', () => process.exit())
