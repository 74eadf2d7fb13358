'use strict'

/*
 * A child program of a test, with commands as lines of its input and responses as lines of its output. Every wait
 * is bounded, and the program ends with its test.
 */

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const readline = require('node:readline')

const { cleanUp } = require('./clean-up')

const LIMIT_MS = 30_000

/**
 * @typedef {object} ProgramOptions
 * @property {string[]} [nodeOptions]
 * @property {string[]} [under] the command that runs Node.js, and its arguments
 * @property {NodeJS.ProcessEnv} [env]
 *
 * @param {import('node:test').TestContext} t
 * @param {string} file
 * @param {string[]} [args]
 * @param {ProgramOptions} [options]
 */
function startProgram (t, file, args = [], { nodeOptions = [], under = [], env } = {}) {
  const [command, ...rest] = [...under, process.execPath, ...nodeOptions, file, ...args]
  const child = spawn(command, rest, { stdio: 'pipe', env: { ...process.env, ...env } })
  cleanUp(t, () => { child.kill('SIGKILL') })

  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  child.stdin.on('error', () => {}) // the program may have ended

  /** @type {{ text: string, at: number }[]} */
  const lines = []
  let read = 0
  const reader = readline.createInterface({ input: child.stdout })
  reader.on('line', (text) => { lines.push({ text, at: performance.now() }) })
  // At `close` all output has been read.
  const closed = once(child, 'close')
  let exitedAt = NaN
  child.once('exit', () => { exitedAt = performance.now() })

  return {
    child,
    lines,
    /** @param {string} text */
    say (text) { child.stdin.write(text + '\n') },
    /**
     * Resolves with the match of the next line of this form after the lines of earlier calls.
     *
     * @param {RegExp} pattern
     * @param {number} [limit]
     */
    async line (pattern, limit = LIMIT_MS) {
      const over = AbortSignal.timeout(limit)
      for (;;) {
        for (; read < lines.length; read++) {
          const match = lines[read].text.match(pattern)
          if (match !== null) {
            read++
            return match
          }
        }
        const ended = await Promise.race([
          once(reader, 'line', { signal: over }).then(() => false, () => true),
          closed.then(() => true)
        ])
        if (ended && read >= lines.length) {
          throw new Error(`no line ${pattern} of ${file} ${args.join(' ')}:\n${lines.map(({ text }) => text).join('\n')}\n${stderr}`)
        }
      }
    },
    /** Resolves at the end of the program with its exit code, signal, error output and time of exit. */
    async ended (limit = LIMIT_MS) {
      let late = false
      const timer = setTimeout(() => {
        late = true
        child.kill('SIGKILL')
      }, limit)
      const [code, signal] = await closed
      clearTimeout(timer)
      if (late) throw new Error(`${file} ${args.join(' ')} has not ended within ${limit} ms\n${stderr}`)
      return { code, signal, stderr, at: exitedAt }
    }
  }
}

module.exports = { startProgram }
