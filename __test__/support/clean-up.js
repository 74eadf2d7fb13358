'use strict'

/** @type {WeakMap<import('node:test').TestContext, (() => unknown)[]>} */
const pending = new WeakMap()

/**
 * Calls a function at the end of a test. The function of the last call runs first, because a later part of a test
 * uses the earlier parts: a browser, for example, uses a server. `t.after` would run the functions in the order
 * of the calls.
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
