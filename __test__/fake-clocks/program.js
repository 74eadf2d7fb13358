'use strict'

/*
 * Opens, stops or restarts an exporter under a fake clock of sinon or node:test. The test checks the output, and that this program
 * ends by itself.
 *
 *   node program.js <sinon | node> <open | stop | restart>
 */

const HypertracePrometheus = require('../..')

const CLOCKS = {
  sinon () {
    const clock = require('sinon').useFakeTimers()
    return { runAll: () => clock.runAll(), restore: () => clock.restore() }
  },
  node () {
    const { mock } = require('node:test')
    mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'setImmediate'] })
    return { runAll: () => mock.timers.runAll(), restore: () => mock.timers.reset() }
  }
}

const PROGRAMS = {
  // An unreferenced timer of the real clock fires only if the open server keeps the process alive.
  open (installClock) {
    const clock = installClock()
    const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
    clock.runAll()
    clock.restore()
    setTimeout(() => {
      console.log('kept alive')
      traceFunction.stop()
    }, 200).unref()
  },
  async stop (installClock) {
    const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
    const clock = installClock()
    await traceFunction.stop()
    clock.runAll()
    console.log('stopped')
  },
  async restart (installClock) {
    const clock = installClock()
    for (let i = 0; i < 3; i++) await HypertracePrometheus({ port: 0 }).stop()
    clock.runAll()
    console.log('restarted')
  }
}

const [clock, program] = process.argv.slice(2)
PROGRAMS[program](CLOCKS[clock])
