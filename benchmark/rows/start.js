'use strict'

/*
 * The time from `require` to a trace function with an open port, in a new process.
 */

const cases = () => [{ lines: [{ name: 'require and start', aim: 1, headline: true }], without: ['limit'] }]

function measure ({ port }, create) {
  const start = performance.now()
  create({ port: create.anyPort ? 0 : port })
  return { values: [performance.now() - start] }
}

module.exports = { cases, measure, unit: 'ms' }
