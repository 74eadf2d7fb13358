// A module that can be traced, as an ES module. hypertrace is CommonJS and Node.js does not find its
// `createTracer` by name: use the default import.

import Hypertrace from 'hypertrace'

export default class SomeModule {
  constructor () {
    this.tracer = Hypertrace.createTracer(this, { props: { someCustom: 'property' } })
  }

  get () {
    this.tracer.trace('get') // an id makes the call about ten times as fast
    // …
  }
}
