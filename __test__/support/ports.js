'use strict'

const { once } = require('node:events')
const net = require('node:net')
const os = require('node:os')

/** Whether this machine has IPv6 on its loopback. */
const hasIPv6 = Object.values(os.networkInterfaces()).flat().some((of) => of?.address === '::1')

/** Listens with Node's own server; rejects as that does. */
async function occupy (port, host) {
  const server = net.createServer().listen({ port, host })
  await once(server, 'listening')
  return {
    port: /** @type {net.AddressInfo} */ (server.address()).port,
    /** May be called again. */
    free: () => new Promise((resolve) => server.close(resolve))
  }
}

/** A port that nobody had a moment ago. */
async function freePort () {
  const { port, free } = await occupy(0, '127.0.0.1')
  await free()
  return port
}

/** Resolves when Node's own server could listen on the port of each loopback; rejects where it cannot. */
async function assertFree (port) {
  for (const host of hasIPv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    await (await occupy(port, host)).free()
  }
}

module.exports = { hasIPv6, occupy, freePort, assertFree }
