'use strict'

const fs = require('node:fs')
const readline = require('node:readline')

/**
 * Runs a function for each line of the input of a child program, with the words of the line. The input keeps
 * the program alive until `close`.
 *
 * @param {Record<string, (...words: string[]) => unknown>} commands
 */
function takeCommands (commands) {
  const reader = readline.createInterface({ input: process.stdin })
  reader.on('line', (line) => {
    const [name, ...words] = line.split(' ')
    commands[name](...words)
  })
  return { close: () => { reader.close(); process.stdin.destroy() } }
}

/** Writes a line synchronously, so that it is written before the event loop blocks. */
function writeLine (line) {
  fs.writeSync(1, line + '\n')
}

module.exports = { takeCommands, writeLine }
