'use strict'

/*
 * Starts processes that share a port. They find each other in a folder of the test.
 */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const { cleanUp } = require('../support/clean-up')
const { parse } = require('../support/exposition')
const { get } = require('../support/http')
const { freePort } = require('../support/ports')
const { startProgram } = require('../support/program')
const { until } = require('../support/until')

const PROGRAM = path.join(__dirname, 'process.js')
const OPTIONS = { collectDefaults: false }

/** The variable whose folder has the names of openers, and the folder of the names in it. */
const [VARIABLE, NAMES] = process.platform === 'win32' ? ['LOCALAPPDATA', 'hypertrace-prometheus'] : ['XDG_RUNTIME_DIR', '']

/**
 * Creates a port and a folder for the processes of one test. After the test, no process lives and the folder is removed.
 *
 * @param {import('node:test').TestContext} t
 */
async function createCluster (t, more = {}) {
  const own = fs.mkdtempSync(path.join(os.tmpdir(), 'cluster-'))
  const folder = path.join(own, NAMES)
  const port = await freePort()
  cleanUp(t, () => fs.rmSync(own, { recursive: true, force: true }))
  const env = { [VARIABLE]: own }
  const all = []
  const names = () => fs.existsSync(folder) ? fs.readdirSync(folder) : []

  return {
    port,
    folder,
    env,
    /** The names that openers have in the folder. */
    names,
    /** The path of the socket, or of the pipe, of an opener. */
    socketOf: (name) => process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : path.join(folder, name, 's'),
    /** Starts a process, and waits until it has opened or joined the port. */
    async start (options = {}) {
      const program = startProgram(t, PROGRAM, [JSON.stringify({ ...OPTIONS, ...more, port, ...options })], { env })
      all.push(program)
      const started = withAsk(program)
      if (options.lazy) await program.line(/^lazy$/)
      else started.port = await started.opened()
      return started
    },
    /** Starts a process that fails, and returns the code and the message. */
    async startFailing (options = {}) {
      const program = startProgram(t, PROGRAM, [JSON.stringify({ ...OPTIONS, ...more, port, ...options })], { env })
      const [, code, message] = await program.line(/^failed (\S+) (.*)$/)
      return { code, message }
    },
    /** Stops all processes, and asserts that they have removed their sockets and files. */
    async stopAll () {
      for (const { child } of all) child.stdin.write('stop\n')
      for (const program of all) {
        if (program.child.exitCode === null && program.child.signalCode === null) await program.line(/^stopped$/)
        program.child.kill('SIGKILL')
      }
      assert.deepEqual(names(), [], 'no socket and no file is left')
    },
    /** Returns the families of the page. The strict parser throws if the page has an error. */
    async page (more = {}) {
      const { body, status } = await get({ port, ...more })
      assert.equal(status, 200, body)
      return parse(body)
    },
    /** Returns the values of the counter by the number of the process and by id. */
    async counts (more = {}) {
      return countsOf(await this.page(more))
    },
    /** Waits until the page has these processes. */
    processes (numbers) {
      return until(async () => {
        const { body } = await get({ port }).catch(() => ({ body: '' }))
        const seen = processesOf(parse(body))
        return JSON.stringify(seen) === JSON.stringify(numbers)
      }, `processes ${numbers}`)
    }
  }
}

function withAsk (program) {
  return {
    ...program,
    pid: program.child.pid,
    opened: () => program.line(/^at (\d+)$/).then(([, port]) => Number(port)),
    /** Sends a command, and waits for the line that answers it. */
    async ask (command, pattern) {
      program.say(command)
      return program.line(pattern)
    },
    async count (calls, id) {
      const [, total] = await this.ask(`count ${calls} ${id}`, /^counted (\d+)$/)
      return Number(total)
    },
    kill (signal = 'SIGKILL') {
      program.child.kill(signal)
      return program.ended()
    }
  }
}

/** @param {Map<string, import('../support/exposition').Family>} page */
function countsOf (page) {
  /** @type {Record<string, Record<string, number>>} */
  const counts = {}
  for (const { labels, value } of page.get('trace_counter')?.samples ?? []) {
    counts[labels.process] ??= {}
    counts[labels.process][labels.id] = (counts[labels.process][labels.id] ?? 0) + value
  }
  return counts
}

/** Returns the numbers of the processes that have sent their part of the page. */
function processesOf (page) {
  const { samples } = page.get('hypertrace_scrape_incomplete') ?? { samples: [] }
  return samples.filter(({ value }) => value === 0).map(({ labels }) => Number(labels.process))
}

const sumOf = (counts) => Object.values(counts).flatMap((ids) => Object.values(ids)).reduce((sum, value) => sum + value, 0)

module.exports = { createCluster, countsOf, processesOf, sumOf }
