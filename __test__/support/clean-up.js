'use strict'

/** @type {WeakMap<import('node:test').TestContext, (() => unknown)[]>} */
const pending = new WeakMap()

/**
 * Calls a function at the end of a test. The function of the last call runs first: what a test has started last
 * uses what it has started before. `t.after` runs functions in the order of their calls.
 *
 * @param {import('node:test').TestContext} t
 * @param {() => unknown} fn
 */
function cleanUp (t, fn) {
  const functions = pending.get(t)
  if (functions !== undefined) {
    functions.push(fn)
    return
  }
  const first = [fn]
  pending.set(t, first)
  t.after(async () => {
    const errors = []
    while (first.length > 0) {
      try {
        await first.pop()?.()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors)
  })
}

module.exports = { cleanUp }
