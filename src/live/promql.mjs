// Writes queries for Prometheus. Pure.

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const ESCAPES = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

/**
 * Returns the query of the calls per second of a row. A label that the row does not have must be absent.
 *
 * @param {string} metric
 * @param {[string, string][]} labels names and values
 */
export function promql (metric, labels) {
  const matchers = labels.map(([name, value]) => `${NAME.test(name) ? name : JSON.stringify(name)}="${value.replace(/[\\"\n]/g, (char) => ESCAPES[char])}"`)
  return `sum(rate(${metric}{${matchers.join(',')}}[1m]))`
}
