'use strict'

// Runs the programs of docs/frameworks.md with the real frameworks. bundlers.test.js tests Next.js.

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')

const { environment } = require('./support/ecosystem')
const { startDocumented } = require('./support/documents')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const readme = require('./support/readme')
const { ECOSYSTEM } = require('../scripts/ecosystem')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const skip = lacks('ecosystem')
const LIMIT = { skip, timeout: 60_000 }

/** Starts a program of the guide, and returns its port when it serves the page. */
async function start (t, name) {
  const port = await freePort()
  const program = startDocumented(t, name, { replace: [['3000', String(port)]] })
  await until(async () => {
    assert.equal(program.child.exitCode, null, `${name} ended`)
    return get({ port }).catch(() => null)
  }, `${name} listens`)
  return { port, program }
}

const countOf = (families) => families.get('trace_counter').samples.map(({ labels, value }) => [labels.object_classname, value])

for (const name of ['express.js', 'fastify.js']) {
  test(`frameworks: ${name} serves the page by a route of its own`, LIMIT, async (t) => {
    const { port } = await start(t, name)
    for (let call = 0; call < 3; call++) assert.equal((await get({ port, path: '/' })).body, 'Hello')
    const { status, headers, body } = await get({ port })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], CONTENT_TYPE)
    assert.deepEqual(countOf(parse(body)), [['SomeModule', 3]])
  })
}

test('frameworks: nest.mjs shows the counter on the page of @willsoto/nestjs-prometheus', LIMIT, async (t) => {
  const { port, program } = await start(t, 'nest.mjs')
  const families = await until(async () => {
    const { status, headers, body } = await get({ port })
    assert.equal(status, 200)
    assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
    const families = parse(body)
    return families.get('trace_counter').samples.length > 0 && families
  }, 'the call')
  assert.deepEqual(countOf(families), [['SomeModule', 1]])
  for (const name of ['process_cpu_seconds_total', 'nodejs_version_info', 'hypertrace_series']) assert.ok(families.has(name), name)
  program.child.kill('SIGTERM')
  await program.ended()
})

test('frameworks: Prometheus scrapes the example', { skip: skip || lacks('prometheus'), timeout: 60_000 }, async (t) => {
  const example = startProgram(t, path.join(__dirname, '..', 'examples', 'express.js'), ['--port', '0'], { env: environment })
  const [, port] = await example.line(/^Metrics: http:\/\/localhost:(\d+)\/metrics$/)
  for (let call = 0; call < 5; call++) await get({ port: Number(port), path: '/' })
  const prometheus = await startPrometheus(t, { example: { target: `localhost:${port}` } })
  await until(async () => await prometheus.value('sum(trace_counter)') === 5, 'five calls')
  example.child.kill('SIGINT')
  assert.equal((await example.ended()).code, 0)
})

test('frameworks: the guide names the versions that the tests use', () => {
  const guide = readme.read('docs/frameworks.md')
  for (const [text, name] of [['Express', 'express'], ['Fastify', 'fastify'], ['NestJS', '@nestjs/core'], ['@willsoto/nestjs-prometheus', '@willsoto/nestjs-prometheus']]) {
    const version = ECOSYSTEM[name].split('.').slice(0, 2).join('.')
    assert.ok(guide.includes(`${text} ${version}`), `${text} ${version}`)
  }
})
