'use strict'

/*
 * What a process holds, so that a test can show that nothing is left behind. Threads and descriptors
 * can be counted on Linux only; elsewhere they are `null`, which equals itself.
 */

const fs = require('node:fs')

const isLinux = process.platform === 'linux'

/** The names of this process's threads that are this package's. */
function serverThreads () {
  if (!isLinux) return null
  const names = []
  for (const id of fs.readdirSync('/proc/self/task')) {
    try {
      names.push(fs.readFileSync(`/proc/self/task/${id}/comm`, 'latin1').trim())
    } catch {} // ended meanwhile
  }
  return names.filter((name) => name.startsWith('hypertrace'))
}

/** How many threads there are. */
function threads () {
  return isLinux ? fs.readdirSync('/proc/self/task').length : null
}

/** What the open descriptors are, sorted; without the one that reads them. */
function descriptors () {
  if (!isLinux) return null
  return fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return `${fd} ${fs.readlinkSync(`/proc/self/fd/${fd}`)}`
    } catch {
      return ''
    }
  }).filter((link) => link !== '').sort()
}

/** All of it, to be compared with itself. */
function holdings () {
  return {
    serverThreads: serverThreads(),
    threads: threads(),
    descriptors: descriptors(),
    resources: process.getActiveResourcesInfo().sort()
  }
}

module.exports = { serverThreads, threads, descriptors, holdings }
