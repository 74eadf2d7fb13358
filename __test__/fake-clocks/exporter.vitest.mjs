// vitest runs these tests of the exporter, under the fake clock of vitest.

import { createRequire } from 'node:module'
import { afterEach, expect, test, vi } from 'vitest'

const require = createRequire(import.meta.url)
const HypertracePrometheus = require('../..')
const { get } = require('../support/http')
const { payload } = require('../support/payload')

afterEach(() => { vi.useRealTimers() })

test('an exporter that is opened under a fake clock sets no timer on this clock, serves and stops', async () => {
  vi.useFakeTimers()
  const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
  expect(vi.getTimerCount()).toBe(0)
  traceFunction(payload())
  vi.runAllTimers()
  vi.advanceTimersByTime(3_600_000)
  vi.useRealTimers()
  const { status, body } = await get({ port: traceFunction.address().port })
  expect(status).toBe(200)
  expect(body).toMatch(/^trace_counter\{.*\} 1$/m)
  await traceFunction.stop()
})

test('stop() resolves under a fake clock', async () => {
  const traceFunction = HypertracePrometheus({ port: 0, seriesIdleTimeout: 1000 })
  vi.useFakeTimers()
  await traceFunction.stop()
  expect(traceFunction.address()).toBe(null)
})
