'use strict'

// An application with hyper-instrument and this package, for Node.js and Bare. The variable FIRST says which of
// the two is created first. The application closes everything at SIGTERM.

const HyperInstrument = require('hyper-instrument') // creates `process` in Bare
const { register } = require('bare-prom-client')
const Corestore = require('corestore')
const HyperDHT = require('hyperdht')
const Hyperswarm = require('hyperswarm')
const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const SomeModule = require('./some-module')

const { BOOTSTRAP, FIRST, SCRAPER_PUBLIC_KEY, SCRAPER_SECRET, STORAGE } = process.env

const bootstrap = [{ host: '127.0.0.1', port: Number(BOOTSTRAP) }]
const swarm = new Hyperswarm({ dht: new HyperDHT({ bootstrap, host: '127.0.0.1', firewalled: false }) })
const corestore = new Corestore(STORAGE)
let traceFunction
let instrumentation

function createExporter () {
  traceFunction = HypertracePrometheus({ register })
  setTraceFunction(traceFunction)
}

function createInstrumentation () {
  instrumentation = new HyperInstrument({
    swarm,
    corestore,
    scraperPublicKey: SCRAPER_PUBLIC_KEY,
    scraperSecret: SCRAPER_SECRET,
    prometheusAlias: 'application',
    prometheusServiceName: 'service'
  })
}

async function main () {
  if (FIRST === 'exporter') createExporter()
  createInstrumentation()
  if (FIRST !== 'exporter') createExporter()
  const mod = new SomeModule()
  mod.get()
  mod.get()
  await corestore.get({ name: 'core' }).append('block')
  await instrumentation.ready()
  process.once('SIGTERM', async () => {
    await instrumentation.close()
    await swarm.destroy()
    await corestore.close()
    await traceFunction.stop()
    console.log('closed')
    // In Bare, the packages of Holepunch keep the process alive, also without this package.
    if (globalThis.Bare !== undefined) globalThis.Bare.exit(0)
  })
}

main()
