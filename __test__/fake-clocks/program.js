'use strict'

/*
 * Opens or stops an exporter under a fake clock of sinon or node:test. The test checks that this program ends.
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

const STEPS = {
  // An unreferenced timer of the real clock fires only if the open server keeps the process alive.
  open (fake) {
    const clock = fake()
    const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
    clock.runAll()
    clock.restore()
    setTimeout(() => {
      console.log('kept alive')
      traceFunction.stop()
    }, 200).unref()
  },
  async stop (fake) {
    const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
    const clock = fake()
    await traceFunction.stop()
    clock.runAll()
    console.log('stopped')
  },
  async restart (fake) {
    const clock = fake()
    for (let i = 0; i < 3; i++) await HypertracePrometheus({ port: 0 }).stop()
    clock.runAll()
    console.log('restarted')
  }
}

const [clock, step] = process.argv.slice(2)
STEPS[step](CLOCKS[clock])
