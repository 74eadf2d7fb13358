'use strict'

// Listens on a host and a port. Prints the result, and the result of a Node.js server on this port. If the process is started by
// root, it becomes an unprivileged user first.

const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { holdings } = require('../support/left-behind')
const { occupy } = require('../support/ports')

const [host, port, ...addresses] = process.argv.slice(2)
// auth.test.js tests the warning of an open page. Here, stderr is for failures only.
process.removeAllListeners('warning')
const NOBODY = 65_534

const facts = ({ message, code, errno, syscall, address, port }) => ({ message, code, errno, syscall, address, port })

async function main () {
  if (process.getuid?.() === 0) {
    process.setgid(NOBODY)
    process.setuid(NOBODY)
  }
  const theirs = await occupy(Number(port), '127.0.0.1').then(({ free }) => free(), facts)
  await new Promise((resolve) => setImmediate(resolve)) // Node.js closes its handles
  const before = holdings()
  let traceFunction
  try {
    traceFunction = HypertracePrometheus({ host, port })
  } catch (error) {
    return { ours: facts(error), theirs, before, after: holdings() }
  }
  const answers = {}
  for (const address of addresses) {
    answers[address] = await get({ port: traceFunction.address().port, host: address }).then(
      ({ status }) => status, ({ code }) => code)
  }
  const { address } = traceFunction.address()
  await traceFunction.stop()
  return { address, answers }
}

main().then((outcome) => { console.log(JSON.stringify(outcome)) })
