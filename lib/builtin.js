'use strict'

/**
 * A module of the runtime's own, looked up at run time and never by a literal `require`, so that
 * bundlers and runtimes without it (Bare) do not stumble over the name.
 *
 * @param {string} name
 * @param {any} [proc]
 * @returns {any}
 * @throws {Error} where there is none
 */
function builtin (name, proc = globalThis.process) {
  if (typeof proc?.getBuiltinModule === 'function') return proc.getBuiltinModule(name)
  return require('node:' + name) // Node before 20.16
}

module.exports = builtin
