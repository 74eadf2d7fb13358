'use strict'

// A process of another user that tries to join, read or block. Arguments: the user, the action, a folder and the port.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')

const { readCommands, writeLine } = require('../support/commands')

const [user, action, folder, port] = process.argv.slice(2)
// Loaded before the change of the user, because the other user may not read the files of this project.
const HypertracePrometheus = require('../..')
process.setgid(Number(user))
process.setuid(Number(user))

const connected = (socket) => new Promise((resolve) => {
  net.connect({ path: socket }).on('connect', () => resolve('connected')).on('error', (err) => resolve(err.code))
})

async function connect () {
  try {
    writeLine(`folder ${fs.readdirSync(folder)}`)
  } catch (err) {
    writeLine(`folder ${err.code}`)
  }
  writeLine(`socket ${await connected(path.join(folder, 's'))}`)
  try {
    HypertracePrometheus({ port, cluster: true, collectDefaults: false })
    writeLine('joined yes')
  } catch (err) {
    writeLine(`joined ${err.code}`)
  }
}

async function plant () {
  let connections = 0
  const modes = [0o700, 0o777, 0o755]
  for (const [n, mode] of modes.entries()) {
    const name = path.join(folder, `hypertrace-${port}-${n + 1}-0123456789abcde${n}`)
    fs.mkdirSync(name)
    const server = net.createServer((socket) => { connections++; socket.destroy() })
    await new Promise((resolve) => server.listen(path.join(name, 's'), resolve))
    fs.chmodSync(path.join(name, 's'), 0o777)
    fs.chmodSync(name, mode)
  }
  // This link leads to one of these folders.
  fs.symlinkSync(path.join(folder, `hypertrace-${port}-1-0123456789abcde0`), path.join(folder, `hypertrace-${port}-9-0123456789abcdef`))
  readCommands({ connections: () => writeLine(`connections ${connections}`) })
  writeLine('planted')
}

if (action === 'connect') connect()
else plant()
