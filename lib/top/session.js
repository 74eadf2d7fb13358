'use strict'

/*
 * A session of `top` on a terminal: its requests, keys, signals and frames.
 */

const os = require('node:os')
const { Failure } = require('./failures')
const { pressed } = require('./keys')
const { answered, failed, initialState } = require('./model')
const { readAnswer } = require('./read')
const { screen, tableRows } = require('./screen')
const { openTerminal } = require('./terminal')

const INTERVAL_MS = 1000
const MAX_DELAY_MS = 8000
/** Ctrl-C in the terminal is read as a key, so SIGINT comes from another process. */
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM'])

const secondsNow = () => Date.now() / 1000

/**
 * Runs until a key, a signal or a lasting failure ends the session. Resolves with the exit code, and after a failure
 * with its message.
 *
 * @param {import('./client').Client} client
 * @param {import('./arguments').TopOptions} options
 * @returns {Promise<{ code: number, message?: string }>}
 */
function runSession (client, options) {
  return new Promise((resolve) => {
    let state = initialState(options)
    let over = false
    let failures = 0
    let all = true // the next request asks for the stalls of the last 15 minutes
    let isAsking = false // a request is under way
    let again = false // a key has changed the settings since the request was sent
    /** @type {NodeJS.Timeout | undefined} */
    let timer

    const terminal = openTerminal({
      input: process.stdin,
      output: process.stdout,
      color: options.color,
      unicode: options.unicode,
      onKey: (text, key) => apply(pressed(state, text, key, page())),
      onResize: askNow,
      onGone: hangUp
    })
    const leave = () => terminal.leave()
    const page = () => tableRows(state, terminal.size())
    const draw = () => terminal.draw(screen(state, terminal.size(), secondsNow()))
    const clock = setInterval(draw, 1000)

    for (const signal of SIGNALS) process.on(signal, () => end(128 + os.constants.signals[signal]))
    process.on('SIGHUP', hangUp)
    process.on('SIGCONT', resume)
    process.on('exit', leave)
    process.on('uncaughtExceptionMonitor', leave) // before Node.js prints the error

    terminal.enter()
    draw()
    ask()

    async function ask () {
      clearTimeout(timer)
      isAsking = true
      again = false
      const { settings } = state
      try {
        const answer = await readAnswer(client, settings, { rows: state.offset + terminal.size().rows, all })
        failures = 0
        all = false
        // If the settings have changed since the request, the rows of the answer do not belong to the headings on the screen.
        if (settings === state.settings) state = answered(state, answer, secondsNow())
      } catch (error) {
        if (over) return
        if (!(error instanceof Failure)) throw error
        if (error.final && isLasting(error)) return end(1, error.message)
        failures++
        all = true
        state = failed(state, error.message, secondsNow())
      }
      isAsking = false
      if (over) return
      draw()
      if (again) return ask()
      if (!state.paused) timer = setTimeout(ask, failures === 0 ? INTERVAL_MS : Math.min(MAX_DELAY_MS, INTERVAL_MS * 2 ** (failures - 1)))
    }

    /**
     * Returns whether a failure ends the program. After a first answer, most failures can come from a restart of the server
     * behind a proxy. So only a failure that the user has to correct ends the program.
     *
     * @param {{ status: number }} failure
     */
    function isLasting ({ status }) {
      return state.answer === null || [400, 401, 403].includes(status)
    }

    function askNow () {
      draw()
      if (isAsking) again = true
      else ask()
    }

    /** @param {import('./keys').Result} result */
    function apply ({ state: next, effect }) {
      if (over) return
      state = next
      if (effect === 'quit') return end(0)
      if (effect === 'suspend') return suspend()
      if (state.paused) clearTimeout(timer)
      if (effect === 'ask') askNow()
      else draw()
    }

    function suspend () {
      if (process.platform === 'win32') return
      terminal.leave()
      process.kill(0, 'SIGTSTP') // to all processes of the job: npx is one of them
      // Without a shell that could continue the job, the system ignores the signal. The program then continues by itself.
      setTimeout(resume, 100)
    }

    function resume () {
      if (over) return
      terminal.enter()
      draw()
    }

    /** Ends the process by the signal SIGHUP. At any other end, Node.js aborts if the terminal no longer exists. */
    function hangUp () {
      terminal.leave()
      process.off('SIGHUP', hangUp)
      process.kill(process.pid, 'SIGHUP')
    }

    /**
     * @param {number} code
     * @param {string} [message]
     */
    function end (code, message) {
      if (over) return
      over = true
      clearTimeout(timer)
      clearInterval(clock)
      terminal.leave()
      client.close()
      process.stdin.destroy()
      resolve({ code, message })
    }
  })
}

module.exports = { runSession }
