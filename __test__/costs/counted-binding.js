'use strict'

/**
 * Makes each function and accessor of the addon count its calls. JavaScript enters Rust in no other way, and
 * Rust takes a lock on the JavaScript thread nowhere else.
 *
 * @param {Record<string, any>} binding
 * @returns {Map<string, number>} the calls by name; may be cleared
 */
function counted (binding) {
  const entered = new Map()
  const counting = (name, original) => function (...args) {
    entered.set(name, (entered.get(name) ?? 0) + 1)
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
  return entered
}

module.exports = { counted }
