'use strict'

/*
 * The resources of a process, so that a test can show that all are released. Threads and descriptors can be
 * listed on Linux only; elsewhere they are `null`.
 */

const fs = require('node:fs')

const isLinux = process.platform === 'linux'

/** The names of this package's threads in this process. */
function serverThreads () {
  if (!isLinux) return null
  const names = []
  for (const id of fs.readdirSync('/proc/self/task')) {
    try {
      names.push(fs.readFileSync(`/proc/self/task/${id}/comm`, 'latin1').trim())
    } catch {} // the thread has ended
  }
  return names.filter((name) => name.startsWith('hypertrace'))
}

/** The number of threads of this process. */
function threads () {
  return isLinux ? fs.readdirSync('/proc/self/task').length : null
}

/** Returns the open descriptors, sorted, without the descriptor that reads this list. */
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

/** All resources, to be compared before and after. */
function holdings () {
  return {
    serverThreads: serverThreads(),
    threads: threads(),
    descriptors: descriptors(),
    resources: process.getActiveResourcesInfo().sort()
  }
}

module.exports = { serverThreads, threads, descriptors, holdings }
