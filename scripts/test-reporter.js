'use strict'

// A reporter for Node.js' test runner. Writes one JSON line: the numbers of passed, failed and skipped tests,
// and the files without a test.

const path = require('node:path')

/** @param {AsyncIterable<{ type: string, data: any }>} events */
module.exports = async function * count (events) {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  const empty = []
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite' && type === 'test:pass') continue
    const isFile = data.file !== undefined && path.resolve(data.name) === data.file
    if (isFile && type === 'test:pass') empty.push(data.name)
    else if (data.skip !== undefined && data.skip !== false) totals.skipped++
    else if (type === 'test:pass') totals.passed++
    else totals.failed++
  }
  yield JSON.stringify({ ...totals, empty }) + '\n'
}
