'use strict'

// Forks itself, and counts in each process. Prints `counted` when all processes have counted. Ends at the end of its input.

const { fork } = require('node:child_process')

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const [port, number] = process.argv.slice(2)
const traceFunction = HypertracePrometheus({ port, cluster: true, collectDefaults: false })
for (let n = 0; n < Number(number); n++) traceFunction(payload({ id: 'forked' }))

if (process.send) {
  process.send('counted')
  process.on('disconnect', () => traceFunction.stop())
} else {
  const children = [1, 2, 3].map((n) => fork(__filename, [port, String(n * 10)]))
  let counted = 0
  for (const child of children) child.once('message', () => { if (++counted === children.length) console.log('counted') })
  process.stdin.on('end', () => {
    for (const child of children) child.disconnect()
    traceFunction.stop()
  }).resume()
}
