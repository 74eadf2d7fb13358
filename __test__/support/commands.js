'use strict'

const fs = require('node:fs')
const readline = require('node:readline')

/**
 * Reads commands from standard input. Each line is one command: the name of a function and its arguments. The input keeps the
 * program alive until `close`.
 *
 * @param {Record<string, (...args: string[]) => unknown>} commands
 */
function readCommands (commands) {
  const reader = readline.createInterface({ input: process.stdin })
  reader.on('line', (line) => {
    const [name, ...args] = line.split(' ')
    commands[name](...args)
  })
  return { close: () => { reader.close(); process.stdin.destroy() } }
}

/** Writes a line synchronously, so that it is written before the event loop blocks. */
function writeLine (line) {
  fs.writeSync(1, line + '\n')
}

module.exports = { readCommands, writeLine }
