'use strict'

// Closes descriptors of a server, as a program that becomes a daemon does. Then stops the server.

const fs = require('node:fs')
const HypertracePrometheus = require('../..')
const { get } = require('../support/http')

const DESCRIPTORS = '/proc/self/fd'

/** Returns the descriptors of this process and what each refers to. */
function descriptors () {
  const entries = fs.readdirSync(DESCRIPTORS).flatMap((fd) => {
    try {
      return [[fd, fs.readlinkSync(`${DESCRIPTORS}/${fd}`)]]
    } catch {
      return [] // the descriptor of the folder itself
    }
  })
  return new Map(entries)
}

async function main () {
  const kind = process.argv[2]
  const before = descriptors()
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
  const own = [...descriptors()].filter(([fd, target]) => before.get(fd) !== target)
  const { port } = traceFunction.address()
  console.log((await get({ port, host: '127.0.0.1' })).status)
  const closed = own.filter(([, target]) => kind === 'all' || target.includes(kind))
  for (const [fd] of closed) fs.closeSync(Number(fd))
  console.log(`closed ${closed.length}`)
  await traceFunction.stop()
  console.log('stopped')
}

main()
