'use strict'

// Prints whether the server keeps the process alive: only then does an unreferenced timer fire.

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
