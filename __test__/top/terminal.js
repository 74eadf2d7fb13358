'use strict'

// A program in a real pseudo-terminal, which in_terminal.py opens.

const { spawn } = require('node:child_process')
const path = require('node:path')
const readline = require('node:readline')
const { until } = require('../support/until')

const IN_TERMINAL = path.join(__dirname, 'in_terminal.py')
const TOP = [process.execPath, path.join(__dirname, '..', '..', 'bin', 'hypertrace-prometheus.js'), 'top']

/** The sequences that `top` may send to the terminal: those of frames and styles, and those that set and restore the screen. */
// eslint-disable-next-line no-control-regex
const ALLOWED = /\x1b\[(\d+;1H|H|K|J|2J|[01247]?m|1;31m|\?1049[hl]|\?25[hl]|\?7[hl])/g

/**
 * Starts `top` in a terminal.
 *
 * @param {import('node:test').TestContext} t
 * @param {string[]} args
 * @param {{ columns?: number, rows?: number, env?: NodeJS.ProcessEnv, command?: string[] }} [options]
 */
function startTop (t, args, { columns = 100, rows = 30, env = {}, command = TOP } = {}) {
  const clean = { ...process.env, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8', NO_COLOR: '', HYPERTRACE_TOP_USER: '', HYPERTRACE_TOP_BEARER: '' }
  const child = spawn('python3', [IN_TERMINAL, String(columns), String(rows), ...command, ...args], { env: { ...clean, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => { child.stdin.destroy() })
  child.stdin.on('error', () => {})

  /** @type {Buffer[]} */
  const output = []
  let end = null
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line)
    if ('output' in message) output.push(Buffer.from(message.output, 'base64'))
    else end = message
  })

  const say = (message) => child.stdin.write(JSON.stringify(message) + '\n')
  const raw = () => Buffer.concat(output).toString()
  /** Returns the text of the last whole frame. */
  const screen = () => {
    const frames = raw().split('\x1b[1;1H').slice(1).filter((text) => text.includes('\x1b[J'))
    return (frames.at(-1) ?? '').replace(ALLOWED, (text) => text.endsWith(';1H') ? '\n' : '')
  }
  return {
    raw,
    screen,
    type: (text) => say({ write: text }),
    resize: (columns, rows) => say({ resize: [columns, rows] }),
    signal: (number) => say({ signal: number }),
    close: () => say({ close: true }),
    /** Waits until the screen matches, and returns the screen. */
    shows: async (pattern, limit = 20_000) => {
      try {
        return await until(() => pattern.test(screen()) && screen(), `${pattern}`, { limit })
      } catch (error) {
        throw new Error(`${error.message}; end: ${JSON.stringify(end)}; screen:\n${screen()}\n${JSON.stringify(raw().slice(-300))}`)
      }
    },
    /** Resolves with the exit code, the signal, and whether the settings of the terminal are as before. */
    ended: () => until(() => end, 'the end of top')
  }
}

module.exports = { ALLOWED, TOP, startTop }
