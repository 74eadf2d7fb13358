'use strict'

// Tests the packages of Holepunch with this package, over a real DHT on the loopback interface, on Node.js and on Bare.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')

const HypertracePrometheus = require('..')
const { findRuntime } = require('../scripts/runtimes')
const { startDht, startScraper } = require('./support/dht')
const { createProject, startDocumented } = require('./support/documents')
const { environment, requirePackage } = require('./support/ecosystem')
const { parse } = require('./support/exposition')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const readme = require('./support/readme')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const skip = lacks('ecosystem')
const LIMIT = { skip, timeout: 90_000 }

/** One family of each package that hyper-instrument registers, and some of this package. */
const FAMILIES = [
  'trace_counter', 'hypertrace_series', 'process_cpu_seconds_total',
  'hypercore_total_cores', 'dht_total_queries', 'hyperswarm_nr_peers', 'hyperdht_version', 'process_pid'
]

/** Checks a page that hyper-instrument and this package share. */
function checkPage (page) {
  const families = parse(page) // fails if the page has a family twice
  for (const name of FAMILIES) assert.ok(families.has(name), name)
  assert.deepEqual(families.get('trace_counter').samples.map(({ labels, value }) => [labels.object_classname, value]), [['SomeModule', 2]])
  return families
}

for (const [title, runtime, skipRuntime] of [['Node.js', process.execPath, false], ['Bare', findRuntime('bare'), lacks('bare')]]) {
  for (const first of ['exporter', 'instrument']) {
    test(`holepunch: hyper-instrument and the exporter share a page over the DHT on ${title}, the ${first} created first`, { ...LIMIT, skip: skip || skipRuntime }, async (t) => {
      const { testnet, port } = await startDht(t)
      const scraper = await startScraper(t, testnet)
      const folder = createProject(t)
      fs.copyFileSync(path.join(__dirname, 'holepunch', 'app.js'), path.join(folder, 'app.js'))
      const child = spawn(runtime, ['app.js'], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          BOOTSTRAP: String(port),
          FIRST: first,
          SCRAPER_PUBLIC_KEY: scraper.publicKey.toString('hex'),
          SCRAPER_SECRET: scraper.secret.toString('hex'),
          STORAGE: path.join(folder, 'storage')
        }
      })
      t.after(() => child.kill('SIGKILL'))
      const closed = once(child, 'close')
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text })
      const { alias, targetPublicKey } = await Promise.race([
        scraper.registered(),
        closed.then(() => assert.fail(`the application ended: ${output}`))
      ])
      assert.equal(alias, 'application')
      const { success, metrics } = await scraper.scrape(targetPublicKey)
      assert.equal(success, true)
      assert.equal(checkPage(metrics).get('hypercore_total_cores').samples[0].value, 1)
      child.kill('SIGTERM')
      assert.deepEqual([await closed, output], [[0, null], 'closed\n'])
    })
  }
}

test('holepunch: the program of the guide registers with the scraper, which reads its page', LIMIT, async (t) => {
  const { testnet, port } = await startDht(t)
  const scraper = await startScraper(t, testnet)
  const program = startDocumented(t, 'instrumented.js', {
    replace: [['new Hyperswarm()', `new Hyperswarm({ dht: new (require('hyperdht'))({ bootstrap: [{ host: '127.0.0.1', port: ${port} }], host: '127.0.0.1', firewalled: false }) })`], ["'./storage'", "__dirname + '/storage'"]],
    env: { SCRAPER_PUBLIC_KEY: scraper.publicKey.toString('hex'), SCRAPER_SECRET: scraper.secret.toString('hex') }
  })
  const { alias, targetPublicKey } = await scraper.registered()
  assert.equal(alias, 'my-application-1')
  await until(async () => {
    const { metrics } = await scraper.scrape(targetPublicKey)
    const families = parse(metrics)
    return families.get('trace_counter').samples[0]?.value >= 1 && families.has('hyperswarm_nr_peers')
  }, 'the call is on the page')
  program.child.kill('SIGKILL') // so that its storage can be removed
  await program.ended()
})

test('holepunch: dht-prom-client accepts the trace function, and sends pages of up to 16 MiB', LIMIT, async (t) => {
  const DhtPromClient = requirePackage('dht-prom-client')
  const { testnet } = await startDht(t)
  const scraper = await startScraper(t, testnet)
  const traceFunction = HypertracePrometheus({ collectDefaults: 'hypertrace' })
  t.after(traceFunction.stop)
  const client = new DhtPromClient(testnet.createNode({ firewalled: false }), traceFunction, scraper.publicKey, 'application', scraper.secret, 'service')
  t.after(() => client.close())
  const errors = []
  client.on('connection-error', ({ error }) => errors.push(error.message))
  await client.ready()

  const filename = '/' + 'x'.repeat(1000)
  const PER_SERIES = filename.length + 150 // slightly more than the length of a line
  let id = 0
  const countUpTo = async (bytes) => {
    for (;;) {
      const { length } = await traceFunction.metrics()
      const missing = Math.floor((bytes - length) / PER_SERIES)
      if (missing <= 0) return length
      for (let i = 0; i < missing; i++) traceFunction(payload({ object: { id: ++id }, caller: { filename } }))
    }
  }
  const fits = await countUpTo(16.7e6)
  const { success, metrics } = await scraper.scrape(client.publicKey)
  assert.equal(success, true)
  assert.equal(metrics.match(/^trace_counter\{/gm).length, id)
  assert.ok(metrics.length > 16.6e6 && metrics.length >= fits)

  const tooLong = await countUpTo(2 ** 24 + 5e4)
  assert.ok(tooLong > 2 ** 24, `${tooLong}`)
  await assert.rejects(scraper.scrape(client.publicKey), { code: 'CHANNEL_CLOSED' })
  await until(() => errors.length > 0, 'the error of the client')
  assert.match(errors[0], /^Message is too large for an atomic write\. Max size is 16777215 bytes/)
})

test('holepunch: hypertele-server makes the port of the exporter reachable over the DHT', LIMIT, async (t) => {
  const { port: bootstrap } = await startDht(t)
  const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
  t.after(traceFunction.stop)
  for (let id = 1; id <= 500; id++) traceFunction(payload({ object: { id } }))
  const seed = randomBytes(32).toString('hex')
  const options = ['--private', '--bootstrap', String(bootstrap)]
  const program = (name) => path.join(environment.NODE_PATH, 'hypertele', name)
  const server = startProgram(t, program('server.js'), ['-l', String(traceFunction.address().port), '--seed', seed, ...options])
  await server.line(/listening on/)
  const port = await freePort()
  startProgram(t, program('client.js'), ['-p', String(port), '-s', seed, ...options])
  const { status, body } = await until(() => get({ port }).catch(() => null), 'the page', { limit: 60_000, pause: 200 })
  assert.equal(status, 200)
  assert.equal(parse(body).get('trace_counter').samples.length, 500)
  const compressed = await get({ port, headers: { 'accept-encoding': 'gzip' } })
  assert.equal(compressed.headers['content-encoding'], 'gzip')
})

test('holepunch: the test runs the commands of the guide', () => {
  const guide = readme.read('docs/holepunch.md')
  for (const command of ['hypertele-server -l 4343 --seed $SEED --private', 'hypertele -p 4444 -s $SEED --private']) assert.ok(guide.includes(command), command)
})

test('holepunch: the example prints the counts that the scraper has read', LIMIT, async (t) => {
  const example = startProgram(t, path.join(__dirname, '..', 'examples', 'holepunch.js'), [], { env: environment })
  await example.line(/^trace_counter\{object_classname="SomeModule",.*object_props_someCustom="property"\} 5$/)
  const { code, stderr } = await example.ended()
  assert.deepEqual([code, stderr], [0, ''])
})
