'use strict'

/**
 * One payload as hypertrace 1.4 makes it, with parts of it replaced.
 * @param {{ id?: any, object?: object, parentObject?: any, caller?: object }} [parts]
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
