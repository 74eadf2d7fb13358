'use strict'

// Does nothing but serve: only the open server keeps the process alive.

const { port } = require('hypertrace-prometheus')({ port: 0, host: '127.0.0.1' }).address()
console.log(String(port))
