'use strict'

// Starts a DHT on this machine, an application that is connected to the DHT, and a scraper that reads the page of the application
// over the DHT. This example needs the packages of Holepunch:
//
//   npm install --no-save hyperdht hyperswarm dht-prom-client protomux-rpc-client
//   node examples/holepunch.js

const { randomBytes } = require('node:crypto')

const DhtPromClient = require('dht-prom-client')
const DhtPromScraper = require('dht-prom-client/scraper')
const HyperDHT = require('hyperdht')
const createTestnet = require('hyperdht/testnet')
const { setTraceFunction } = require('hypertrace')
const HypertracePrometheus = require('hypertrace-prometheus')
const ProtomuxRpcClient = require('protomux-rpc-client')
const SomeModule = require('./some-module.cjs')

async function main () {
  const testnet = await createTestnet(3)
  const scraperKeys = HyperDHT.keyPair()

  // The application.
  const traceFunction = HypertracePrometheus({ allowedProps: ['someCustom'] })
  setTraceFunction(traceFunction) // before the traced objects are created
  const mod = new SomeModule()
  for (let call = 0; call < 5; call++) mod.get()
  const client = new DhtPromClient(testnet.createNode(), traceFunction, scraperKeys.publicKey, 'application', randomBytes(32), 'service')
  await client.ready()

  // The scraper knows the key of the application. An application on another machine registers its key with an alias server.
  const rpc = new ProtomuxRpcClient(testnet.createNode(), { keyPair: scraperKeys })
  const { success, metrics } = await new DhtPromScraper(rpc, client.publicKey).requestMetrics({ timeout: 10_000 })
  if (!success) throw new Error('the application did not send its page')
  console.log(metrics.split('\n').filter((line) => line.startsWith('trace_counter')).join('\n'))

  await rpc.close()
  await client.close()
  await testnet.destroy()
  await traceFunction.stop()
}

main()
