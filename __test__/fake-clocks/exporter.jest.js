'use strict'

/* global afterEach, expect, jest, test */

// jest runs these tests of the exporter, under the fake clock of jest and in the sandbox of jest.

const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { payload } = require('../support/payload')

afterEach(() => { jest.useRealTimers() })

test('an exporter that is opened under a fake clock sets no timer on this clock, serves and stops', async () => {
  jest.useFakeTimers()
  const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
  expect(jest.getTimerCount()).toBe(0)
  traceFunction(payload())
  jest.runAllTimers()
  jest.advanceTimersByTime(3_600_000)
  jest.useRealTimers()
  const { status, body } = await get({ port: traceFunction.address().port })
  expect(status).toBe(200)
  expect(body).toMatch(/^trace_counter\{.*\} 1$/m)
  await traceFunction.stop()
})

test('stop() resolves under a fake clock', async () => {
  const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
  jest.useFakeTimers()
  await traceFunction.stop()
  expect(traceFunction.address()).toBe(null)
})
