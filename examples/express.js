'use strict'

// An Express application with a route for the metrics. Install Express to run it:
//
//   npm install --no-save express
//   node examples/express.js [--port 3000]

const { parseArgs } = require('node:util')

const express = require('express')
const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module.cjs')

const { values } = parseArgs({ options: { port: { type: 'string', default: '3000' } } })

const traceFunction = HypertracePrometheus()
setTraceFunction(traceFunction) // before the traced objects are created
const mod = new SomeModule()

const app = express()
app.get('/', (req, res) => {
  mod.get()
  res.send('Hello')
})
app.get('/metrics', async (req, res) => {
  res.setHeader('Content-Type', traceFunction.contentType)
  res.end(await traceFunction.metrics()) // send() would compute an ETag of the page
})

const server = app.listen(Number(values.port), () => {
  console.log(`Metrics: http://localhost:${server.address().port}/metrics`)
})
process.once('SIGINT', () => {
  server.close()
  server.closeAllConnections()
})
