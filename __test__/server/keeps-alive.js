'use strict'

// Prints whether the server keeps the process alive. An unreferenced timer fires only in a process that is kept alive.

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
