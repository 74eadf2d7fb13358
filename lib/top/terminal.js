'use strict'

/*
 * The terminal: its alternate screen, keys and size. `leave()` restores all settings of the terminal. It may be called at
 * any time and more than once.
 */

const readline = require('node:readline')
const { toAscii } = require('./text')

// The alternate screen, no cursor, and no automatic line break, so that a line that is wider than computed shifts no other line.
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J'
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
const TO_END_OF_LINE = '\x1b[K'
const BELOW = '\x1b[J'
const RESET = '\x1b[0m'

/** @type {Record<import('./screen').Style, string>} */
const STYLES = { plain: '', bold: '\x1b[1m', dim: '\x1b[2m', alert: '\x1b[1;31m', heading: '\x1b[7m' }

/**
 * @typedef {object} Terminal
 * @property {() => void} enter
 * @property {() => void} leave
 * @property {(lines: import('./screen').Line[]) => void} draw
 * @property {() => import('./screen').Size} size
 */

/**
 * Returns the bytes that draw lines on the whole screen. Pure.
 *
 * @param {import('./screen').Line[]} lines
 * @param {{ color: boolean, unicode: boolean }} options
 */
function frame (lines, { color, unicode }) {
  // Each line goes to a position of its own: a line feed would depend on the settings of the terminal.
  const texts = lines.map(({ text, style }, index) => {
    const shown = unicode ? text : toAscii(text)
    return `\x1b[${index + 1};1H${color && style !== 'plain' ? STYLES[style] + shown + RESET : shown}${TO_END_OF_LINE}`
  })
  return texts.join('') + BELOW
}

/**
 * @param {object} options
 * @param {NodeJS.ReadStream} options.input
 * @param {NodeJS.WriteStream} options.output
 * @param {boolean} options.color
 * @param {boolean} options.unicode
 * @param {(text: string | undefined, key: import('./keys').Key) => void} options.onKey
 * @param {() => void} options.onResize
 * @param {() => void} options.onGone the terminal was closed
 * @returns {Terminal}
 */
function openTerminal ({ input, output, color, unicode, onKey, onResize, onGone }) {
  let entered = false
  let blocked = false // the terminal does not read the output, so frames are left out
  let last = ''

  output.on('resize', () => {
    last = ''
    onResize()
  })
  output.on('error', onGone)
  output.on('drain', () => { blocked = false })
  // If the input is not a terminal, there are no keys, and Ctrl-C is a signal.
  if (input.isTTY) {
    readline.emitKeypressEvents(input)
    input.on('keypress', onKey)
    input.on('end', onGone)
    input.on('error', onGone)
  }

  return {
    enter () {
      if (entered) return
      entered = true
      last = ''
      if (input.isTTY) {
        input.setRawMode(true)
        input.resume()
      }
      output.write(ENTER)
    },
    leave () {
      if (!entered) return
      entered = false
      try {
        if (input.isTTY) {
          input.setRawMode(false)
          input.pause()
        }
        output.write(LEAVE)
      } catch {} // the terminal is gone
    },
    draw (lines) {
      if (!entered || blocked) return
      const bytes = frame(lines, { color, unicode })
      if (bytes === last) return
      last = bytes
      blocked = !output.write(bytes)
    },
    size () {
      return { columns: output.columns || 80, rows: output.rows || 24 }
    }
  }
}

module.exports = { frame, openTerminal }
