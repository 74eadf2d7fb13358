'use strict'

// Ends by itself as soon as nothing keeps it alive, and tells whether the server did: only then does
// a timer that keeps nothing alive get its turn.

const HypertracePrometheus = require('../..')

const traceFunction = HypertracePrometheus(process.argv.includes('serve') ? { port: 0 } : {})
for (const name of process.argv.slice(2)) {
  if (name === 'ref' || name === 'unref') traceFunction[name]()
}

let keptAlive = false
setTimeout(() => {
  keptAlive = true
  traceFunction.stop()
}, 200).unref()
process.once('exit', () => { console.log(keptAlive ? 'kept alive' : 'not kept alive') })
