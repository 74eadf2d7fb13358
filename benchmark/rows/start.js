'use strict'

/*
 * From `require` to a trace function with its port asked for, in a process that has loaded nothing yet.
 */

const cases = () => [{ lines: [{ name: 'require and start', aim: 1, headline: true }], without: ['limit'] }]

function measure ({ port }, create) {
  const start = performance.now()
  create({ port: create.anyPort ? 0 : port })
  return { values: [performance.now() - start] }
}

module.exports = { cases, measure, unit: 'ms' }
