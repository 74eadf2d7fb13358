'use strict'

/**
 * Has each function and accessor of the addon count how often it is entered. There is no other way into Rust from JavaScript, and
 * Rust takes a lock on the JavaScript thread nowhere else.
 *
 * @param {Record<string, any>} binding
 * @returns {Map<string, number>} how often each has been entered; may be cleared
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
