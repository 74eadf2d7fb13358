'use strict'

// A module that can be traced. Without a trace function, `trace()` does nothing.

const { createTracer } = require('hypertrace')

module.exports = class SomeModule {
  constructor () {
    this.tracer = createTracer(this, { props: { someCustom: 'property' } })
  }

  get () {
    this.tracer.trace('get') // an id makes the call about ten times as fast
    // …
  }
}
