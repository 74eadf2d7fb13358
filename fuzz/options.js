'use strict'

// Fuzz target of the options: `node fuzz/options.js <seconds> [seed]`. Random options are accepted, or rejected at the call
// with an Error whose message and code say what is wrong. An exporter with accepted options returns a page and stops.

const assert = require('node:assert/strict')
const HypertracePrometheus = require('..')
const { payload } = require('../__test__/support/payload')
const { plainValues, throwingValues } = require('../__test__/support/values')

const CODES = /^ERR_(INVALID_ARG_(TYPE|VALUE)|OUT_OF_RANGE)$/
const NAMES = [
  'allowedProps', 'allowedHosts', 'auth', 'collectDefaults', 'defaultLabels', 'history', 'host', 'maxLabelValueLength', 'maxSeries',
  'metricName', 'omitLabels', 'port', 'prefix', 'register', 'seriesIdleTimeout', 'startAtZero', 'tls', 'ca', 'cert', 'key', 'minVersion',
  'username', 'password', 'token', 'toString', '__proto__'
]
const VALUES = [...plainValues, ...throwingValues].map(([, create]) => create)

async function main () {
  const until = performance.now() + Number(process.argv[2] ?? 60) * 1000
  const seed = Number(process.argv[3] ?? Date.now() % 1e9)
  const random = randomOf(seed)
  process.removeAllListeners('warning')
  process.on('warning', () => {})
  let runs = 0
  let accepted = 0
  try {
    for (; performance.now() < until; runs++) accepted += await tryOptions(optionsOf(random, 2)) ? 1 : 0
  } catch (err) {
    console.error(`seed ${seed}, run ${runs}`)
    throw err
  }
  console.log(`${runs} options, ${accepted} accepted, seed ${seed}`)
}

/** @returns {Promise<boolean>} whether the options were accepted */
async function tryOptions (options) {
  let traceFunction
  try {
    traceFunction = HypertracePrometheus(options)
  } catch (err) {
    assert.ok(err instanceof Error, 'not an Error')
    // Other codes come from the system (a host that does not exist) or from the user's getter.
    if (typeof err.code === 'string' && err.code.startsWith('ERR_')) assert.match(err.code, CODES)
    assert.notEqual(err.message, '')
    assert.ok(!/panicked|internal error/.test(err.message), err.message)
    return false
  }
  traceFunction(payload())
  const page = await traceFunction.metrics()
  assert.match(String(page), /^# (HELP|TYPE) /m)
  await traceFunction.stop()
  return true
}

/** Returns an object of random options, whose values may be such objects too. */
function optionsOf (random, depth) {
  const options = {}
  for (let left = random(4); left > 0; left--) {
    const name = NAMES[random(NAMES.length)]
    Object.defineProperty(options, name, { value: valueOf(random, depth), enumerable: true, configurable: true })
  }
  // The system would look up a host, and a port could be in use; so these two options get only objects.
  for (const name of ['host', 'port']) if (typeof options[name] !== 'object') delete options[name]
  return options
}

function valueOf (random, depth) {
  const choice = random(8)
  if (depth > 0 && choice === 0) return optionsOf(random, depth - 1)
  if (depth > 0 && choice === 1) return Array.from({ length: random(4) }, () => valueOf(random, depth - 1))
  if (choice === 2) return 'abcXYZ_0:-\n\u00e9'.slice(random(6), 6 + random(6))
  return VALUES[random(VALUES.length)]()
}

/** A linear congruential generator. */
function randomOf (seed) {
  let state = seed >>> 0
  return (end) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * end)
  }
}

main()
