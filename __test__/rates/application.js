'use strict'

const path = require('node:path')

const { startProgram } = require('../support/program')

const APP = path.join(__dirname, 'app.js')

/**
 * Starts an application (`app.js`) and resolves when its exporters are open.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} pattern of calls
 * @param {number} exporters
 * @param {object} [options] of each exporter
 */
async function startApplication (t, pattern, exporters, options = {}) {
  const open = async (ports) => {
    const program = startProgram(t, APP, [pattern, ...ports.map(String), '--options', JSON.stringify(options)])
    const [, opened] = await program.line(/^ports (.*)$/)
    return { program, ports: opened.split(' ').map(Number) }
  }
  const first = await open(Array(exporters).fill(0))
  const programs = [first.program]
  let killedAt = NaN

  return {
    ports: first.ports,
    /** Begins to make calls. */
    begin () { programs.at(-1).say('begin') },
    /** Kills the process, and starts another with the same ports. */
    async restart () {
      killedAt = Date.now()
      first.program.child.kill('SIGKILL')
      await first.program.ended()
      programs.push((await open(first.ports)).program)
      this.begin()
    },
    /** Ends the calls; resolves to the number of calls of the last process. */
    async end () {
      programs.at(-1).say('end')
      return Number((await programs.at(-1).line(/^made (\d+)$/))[1])
    },
    /** The time at which the first process was killed, and the number of calls that it had reported before a time and in total. */
    killed: {
      at: () => killedAt,
      madeBefore: (milliseconds) => reports(first.program).findLast(({ at }) => at <= milliseconds)?.calls ?? 0,
      made: () => reports(first.program).at(-1).calls
    }
  }
}

function reports ({ lines }) {
  return lines.map(({ text }) => text.match(/^at (\d+) (\d+)$/)).filter(Boolean).map(([, at, calls]) => ({ at: Number(at), calls: Number(calls) }))
}

module.exports = { startApplication }
