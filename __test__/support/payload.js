'use strict'

/**
 * A payload as hypertrace 1.4 creates it, with some fields replaced.
 * @param {{ id?: any, object?: object, parentObject?: any, caller?: object }} [fields]
 */
function payload ({ id = null, object, parentObject = null, caller } = {}) {
  return {
    id,
    object: { className: 'Thing', id: 1, props: null, ctx: {}, ...object },
    parentObject,
    caller: { functionName: 'work', filename: '/app/thing.js', line: 10, column: 12, props: undefined, ...caller }
  }
}

module.exports = { payload }
