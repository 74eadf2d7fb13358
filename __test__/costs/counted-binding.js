'use strict'

/**
 * Wraps each function and accessor of the addon so that it counts its calls. JavaScript calls Rust in no other way,
 * and Rust acquires a lock on the JavaScript thread in no other code.
 *
 * @param {Record<string, any>} binding
 * @returns {Map<string, number>} the calls by name; may be cleared
 */
function counted (binding) {
  const calls = new Map()
  const counting = (name, original) => function (...args) {
    calls.set(name, (calls.get(name) ?? 0) + 1)
    return original.apply(this, args)
  }
  for (const { prototype } of Object.values(binding)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype ?? {}))) {
      if (name === 'constructor') continue
      for (const key of ['value', 'get', 'set']) {
        if (typeof property[key] === 'function') property[key] = counting(name, property[key])
      }
      Object.defineProperty(prototype, name, property)
    }
  }
  return calls
}

module.exports = { counted }
