// A module that can be traced, as an ES module. hypertrace is CommonJS: its default import has every
// function, while Node.js does not find `createTracer` by name.

import Hypertrace from 'hypertrace'

export default class SomeModule {
  constructor () {
    this.tracer = Hypertrace.createTracer(this, { props: { someCustom: 'property' } })
  }

  get () {
    this.tracer.trace('get') // with an id: about a tenth of the time of a trace without one
    // …
  }
}
