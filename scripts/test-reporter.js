'use strict'

// Node's test runner loads this as a reporter. It writes one JSON line: how many tests passed,
// failed and were skipped, and the files in which no test was found.

const path = require('node:path')

/** @param {AsyncIterable<{ type: string, data: any }>} events */
module.exports = async function * count (events) {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  const empty = []
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite' && type === 'test:pass') continue
    const standsForItsFile = data.file !== undefined && path.resolve(data.name) === data.file
    if (standsForItsFile && type === 'test:pass') empty.push(data.name)
    else if (data.skip !== undefined && data.skip !== false) totals.skipped++
    else if (type === 'test:pass') totals.passed++
    else totals.failed++
  }
  yield JSON.stringify({ ...totals, empty }) + '\n'
}
