'use strict'

/*
 * Times ways to compare a slice of a stack trace with a cached string of the same text. hypertrace makes such slices for each call.
 * The trace function must make two such comparisons for each call. They are the largest part of its cost (docs/performance.md, real
 * calls).
 *
 *   node benchmark/slices.js
 */

const { median } = require('./statistics')

const SLICES = 200
const ROUNDS = 300

const LINE = '    at Class.method (/application/node_modules/some-package/lib/some-file.js:48:33)'
const STACK = `Error\n    at Hypertrace.trace (/application/node_modules/hypertrace/index.js:1:2)\n${LINE}\n    at main (/application/main.js:3:4)\n`
const CALL = /.*at (.+) \((?:file:\/:\/)?(.+):(\d+):(\d+)\)/

/** Returns the file name as hypertrace does: a new slice of the stack trace. */
const slice = () => STACK.split('\n')[2].match(CALL)[2]
const cached = Buffer.from(slice()).toString()
const pattern = new RegExp(`^${cached.replace(/[./]/g, '[$&]')}$`)

const WAYS = {
  'only the length, which is not enough': (a, b) => a.length === b.length,
  '===': (a, b) => a === b,
  'indexOf === 0': (a, b) => a.length === b.length && a.indexOf(b) === 0,
  'indexOf the other way': (a, b) => a.length === b.length && b.indexOf(a) === 0,
  'lastIndexOf === 0': (a, b) => a.length === b.length && a.lastIndexOf(b, 0) === 0,
  startsWith: (a, b) => a.length === b.length && a.startsWith(b),
  endsWith: (a, b) => a.length === b.length && a.endsWith(b),
  includes: (a, b) => a.length === b.length && a.includes(b),
  'neither < nor >': (a, b) => !(a < b) && !(a > b),
  'a regular expression': (a) => pattern.test(a),
  charCodeAt: (a, b) => {
    if (a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (a.charCodeAt(i) !== b.charCodeAt(i)) return false
    return true
  }
}

/** Creates a new loop. Each way has its own loop, so that V8 optimises each one separately. */
// eslint-disable-next-line no-new-func
const createLoop = () => new Function('equal', 'slices', 'cached', `
  let found = 0
  for (let i = 0; i < slices.length; i++) if (equal(slices[i], cached)) found++
  return found
`)

for (const [name, equal] of Object.entries(WAYS)) {
  const loop = createLoop()
  const times = []
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const slices = Array.from({ length: SLICES }, slice)
    const start = process.hrtime.bigint()
    const found = loop(equal, slices, cached)
    const time = Number(process.hrtime.bigint() - start) / SLICES
    if (found !== SLICES) throw new Error(`${name} finds ${found} of ${SLICES}`)
    if (round >= ROUNDS) times.push(time)
  }
  console.log(`${name.padEnd(40)}${median(times).toFixed(1).padStart(6)} ns`)
}
