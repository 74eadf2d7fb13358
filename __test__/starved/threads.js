'use strict'

// Runs where the system starts no more threads. Prints the error of a server, and whether metrics() resolves.

const HypertracePrometheus = require('../..')
const { payload } = require('../support/payload')

const NOBODY = 65_534

process.setgid(NOBODY)
process.setuid(NOBODY)

const traceFunction = HypertracePrometheus({ collectDefaults: false })
traceFunction(payload())

let error
try {
  HypertracePrometheus({ port: 0, host: '127.0.0.1' }).stop()
} catch ({ name, message, code, errno, syscall }) {
  error = { name, message, code, errno, syscall }
}

traceFunction.metrics().then(async (page) => {
  console.log(JSON.stringify({ error, counted: /^trace_counter\{.*\} 1$/m.test(page) }))
  await traceFunction.stop()
})
