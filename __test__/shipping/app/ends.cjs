'use strict'

// Serves and calls unref(): the process ends by itself.

const traceFunction = require('hypertrace-prometheus')({ port: 0, host: '127.0.0.1' })
traceFunction.unref().ref().unref()
console.log(String(traceFunction.address().port))
