'use strict'

// Listens on a host and port, perhaps as another user, and tells what came of it, and then the same
// of Node's own server.

const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { holdings } = require('../support/left-behind')
const { occupy } = require('../support/ports')

const [host, port, ...addresses] = process.argv.slice(2)
// Every interface without auth warns, which is another test's: here stderr is for what goes wrong.
process.removeAllListeners('warning')
const NOBODY = 65_534

const facts = ({ message, code, errno, syscall, address, port }) => ({ message, code, errno, syscall, address, port })

async function main () {
  if (process.getuid?.() === 0) {
    process.setgid(NOBODY)
    process.setuid(NOBODY)
  }
  const theirs = await occupy(Number(port), '127.0.0.1').then(({ free }) => free(), facts)
  await new Promise((resolve) => setImmediate(resolve)) // Node closes what it opened
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
  await traceFunction.stop()
  return { answers }
}

main().then((outcome) => { console.log(JSON.stringify(outcome)) })
