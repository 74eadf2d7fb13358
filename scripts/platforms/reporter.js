'use strict'

// A reporter for Node.js' test runner. Writes a JSON line for each test and each skipped suite: its name, preceded by
// the names of the suites and tests that contain it; its outcome; and the message of its failure.

/** @param {AsyncIterable<{ type: string, data: any }>} events */
module.exports = async function * report (events) {
  /** @type {string[]} */
  const names = []
  for await (const { type, data } of events) {
    if (type === 'test:start') names.splice(data.nesting, names.length, data.name)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { error, type: kind } = data.details ?? {}
    const isSkipped = data.skip !== undefined && data.skip !== false
    if (kind === 'suite' && type === 'test:pass' && !isSkipped) continue
    if (error?.failureType === 'subtestsFailed') continue // each failed subtest is reported by itself
    const name = [...names.slice(0, data.nesting), data.name].join(' › ')
    const message = type === 'test:fail' ? String(error?.cause?.message ?? error?.message ?? error) : undefined
    yield JSON.stringify({ name, outcome: isSkipped ? 'skipped' : type.slice('test:'.length), message }) + '\n'
  }
}
