'use strict'

const fs = require('node:fs')
const readline = require('node:readline')

/**
 * For a child program: runs a function for each line of its input, one after the other, with the
 * line's words. The input keeps the program alive until `close`.
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

/** Writes a line now, also when the event loop will not turn for long. */
function tell (line) {
  fs.writeSync(1, line + '\n')
}

module.exports = { takeCommands, tell }
