'use strict'

/*
 * A DHT on the loopback interface and a scraper in it, for one test. A test that uses it is skipped if
 * `lacks('ecosystem')` of tools.js says so.
 */

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { requirePackage } = require('./ecosystem')

// With few nodes, a node cannot find out whether it is behind a NAT, and some connections time out.
const NODES = 10

/** @param {import('node:test').TestContext} t */
async function startDht (t) {
  const testnet = await requirePackage('hyperdht/testnet')(NODES)
  t.after(() => testnet.destroy())
  return { testnet, port: testnet.bootstrap[0].port }
}

/**
 * Starts a scraper of dht-prom-client: applications register with it, and it reads their pages.
 *
 * @param {import('node:test').TestContext} t
 * @param {any} testnet
 */
async function startScraper (t, testnet) {
  const Hyperswarm = requirePackage('hyperswarm')
  const AliasRpcServer = requirePackage('dht-prom-alias-rpc')
  const ProtomuxRpcClient = requirePackage('protomux-rpc-client')
  const DhtPromScraper = requirePackage('dht-prom-client/scraper')

  const swarm = new Hyperswarm({ dht: testnet.createNode({ firewalled: false }) })
  const rpc = new ProtomuxRpcClient(swarm.dht, { keyPair: swarm.keyPair })
  t.after(async () => {
    await rpc.close()
    await swarm.destroy()
  })
  const secret = randomBytes(32)
  const aliases = new AliasRpcServer(swarm, secret, async () => true)
  await swarm.listen()
  return {
    publicKey: swarm.keyPair.publicKey,
    secret,
    /** Resolves when an application registers, with its alias and its public key. */
    async registered () {
      const [{ alias, targetPublicKey }] = await once(aliases, 'alias-success', { signal: AbortSignal.timeout(30_000) })
      return { alias, targetPublicKey }
    },
    /**
     * Requests the page of an application.
     *
     * @param {Buffer} key
     * @returns {Promise<{ success: boolean, metrics?: string }>}
     */
    scrape: (key) => new DhtPromScraper(rpc, key).requestMetrics({ timeout: 20_000 })
  }
}

module.exports = { startDht, startScraper }
