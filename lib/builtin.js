'use strict'

/**
 * Returns a built-in module of the runtime. The name is looked up at run time and never by a literal
 * `require`, so that bundlers and runtimes without the module (Bare) do not fail on it.
 *
 * @param {string} name
 * @param {any} [proc]
 * @returns {any}
 * @throws {Error} if the runtime has no such module
 */
function builtin (name, proc = globalThis.process) {
  if (typeof proc?.getBuiltinModule === 'function') return proc.getBuiltinModule(name)
  return require('node:' + name) // Node.js before 20.16
}

module.exports = builtin
