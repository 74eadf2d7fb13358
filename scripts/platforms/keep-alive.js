'use strict'

// Loaded before a program in Wine 8. There, a socket cannot connect if keep-alive was set before, as fetch() of
// Node.js does. So keep-alive is set after the socket has connected.

const { Socket } = require('node:net')

const { setKeepAlive } = Socket.prototype

/** @param {[enable?: boolean, initialDelay?: number]} args */
Socket.prototype.setKeepAlive = function (...args) {
  if (!this.connecting) return setKeepAlive.apply(this, args)
  this.once('connect', () => setKeepAlive.apply(this, args))
  return this
}
