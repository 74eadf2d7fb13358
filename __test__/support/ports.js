'use strict'

const { once } = require('node:events')
const net = require('node:net')
const os = require('node:os')

/** True if the loopback interface has IPv6. */
const hasIPv6 = Object.values(os.networkInterfaces()).flat().some((of) => of?.address === '::1')

/** Listens with a server of Node.js; rejects with its error. */
async function occupy (port, host) {
  const server = net.createServer().listen({ port, host })
  await once(server, 'listening')
  return {
    port: /** @type {net.AddressInfo} */ (server.address()).port,
    /** Closes the server; may be called again. */
    free: () => new Promise((resolve) => server.close(resolve))
  }
}

/** A port that was free at the time of the call. */
async function freePort () {
  const { port, free } = await occupy(0, '127.0.0.1')
  await free()
  return port
}

/** Resolves if a server of Node.js can listen on the port of each loopback address; rejects otherwise. */
async function assertFree (port) {
  for (const host of hasIPv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    await (await occupy(port, host)).free()
  }
}

module.exports = { hasIPv6, occupy, freePort, assertFree }
