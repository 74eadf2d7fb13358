'use strict'

/*
 * Loads the addon: one that was built here, or else the one of the platform's package. The loader of
 * the napi CLI needs `fs` and `process` of Node.js, which Bare does not have, and its errors do not say
 * what helps. Each name is a literal inside a `try`, so that bundlers follow it and accept that it is
 * not installed.
 */

const builtin = require('./builtin')

/** @typedef {typeof import('../binding')} Binding */
/** @typedef {{ name: string, error: any }} Attempt */

const SUPPORTED = ['linux (glibc and musl)', 'macOS (darwin)', 'Windows (win32)'].join(', ') + ', each on x64 and arm64'

/**
 * @returns {Binding}
 * @throws {Error} `ERR_NO_BINARY`, which lists what was tried and what helps
 */
function loadBinding () {
  /** @type {Attempt[]} */
  const tried = []
  const own = loadOwnBuild(tried)
  if (own !== undefined) return own
  const targets = targetsOfHost()
  for (const target of targets) {
    const binding = loadCheckoutBuild(target, tried) ?? loadPackage(target, tried)
    if (binding !== undefined) return binding
  }
  throw noBinary(targets[0], tried)
}

/** @returns {{ platform: string, arch: string, process: any }} */
function host () {
  const { process, Bare } = /** @type {any} */ (globalThis)
  const { platform = 'unknown', arch = 'unknown' } = process ?? Bare ?? {}
  return { platform, arch, process }
}

/**
 * Returns the names of the binaries to try. On Linux these are two, first the one of the C library
 * that was found; the other one does not load, and the search may be wrong.
 */
function targetsOfHost () {
  const { platform, arch, process } = host()
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  const targets = [`linux-${arch}-gnu`, `linux-${arch}-musl`]
  return isMusl(process) ? targets.reverse() : targets
}

/** @param {any} process */
function isMusl (process) {
  try {
    const fs = builtin('fs', process)
    return fs.readFileSync('/usr/bin/ldd', 'latin1').includes('musl')
  } catch {}
  try {
    return process.report.getReport().header.glibcVersionRuntime === undefined
  } catch {}
  return false
}

/**
 * Loads the result of `npx hypertrace-prometheus build`.
 *
 * @param {Attempt[]} tried
 * @returns {Binding | undefined}
 */
function loadOwnBuild (tried) {
  try {
    return require('../hypertrace-prometheus.node')
  } catch (error) {
    tried.push({ name: 'hypertrace-prometheus.node', error })
  }
}

/**
 * Loads the result of `npm run build` in a git checkout. The published package has none.
 *
 * @param {string} target
 * @param {Attempt[]} tried
 * @returns {Binding | undefined}
 */
function loadCheckoutBuild (target, tried) {
  try {
    switch (target) {
      case 'linux-x64-gnu': return require('../hypertrace-prometheus.linux-x64-gnu.node')
      case 'linux-x64-musl': return require('../hypertrace-prometheus.linux-x64-musl.node')
      case 'linux-arm64-gnu': return require('../hypertrace-prometheus.linux-arm64-gnu.node')
      case 'linux-arm64-musl': return require('../hypertrace-prometheus.linux-arm64-musl.node')
      case 'darwin-x64': return require('../hypertrace-prometheus.darwin-x64.node')
      case 'darwin-arm64': return require('../hypertrace-prometheus.darwin-arm64.node')
      case 'win32-x64-msvc': return require('../hypertrace-prometheus.win32-x64-msvc.node')
      case 'win32-arm64-msvc': return require('../hypertrace-prometheus.win32-arm64-msvc.node')
    }
  } catch (error) {
    if (!isMissing(error)) tried.push({ name: `hypertrace-prometheus.${target}.node`, error })
  }
}

/**
 * Loads the package of a platform.
 *
 * @param {string} target
 * @param {Attempt[]} tried
 * @returns {Binding | undefined}
 */
function loadPackage (target, tried) {
  try {
    switch (target) {
      case 'linux-x64-gnu': return require('hypertrace-prometheus-linux-x64-gnu')
      case 'linux-x64-musl': return require('hypertrace-prometheus-linux-x64-musl')
      case 'linux-arm64-gnu': return require('hypertrace-prometheus-linux-arm64-gnu')
      case 'linux-arm64-musl': return require('hypertrace-prometheus-linux-arm64-musl')
      case 'darwin-x64': return require('hypertrace-prometheus-darwin-x64')
      case 'darwin-arm64': return require('hypertrace-prometheus-darwin-arm64')
      case 'win32-x64-msvc': return require('hypertrace-prometheus-win32-x64-msvc')
      case 'win32-arm64-msvc': return require('hypertrace-prometheus-win32-arm64-msvc')
    }
  } catch (error) {
    tried.push({ name: `hypertrace-prometheus-${target}`, error })
  }
}

/** @param {any} error */
function isMissing (error) {
  return error?.code === 'MODULE_NOT_FOUND'
}

/**
 * @param {string} target the first that was tried
 * @param {Attempt[]} tried
 */
function noBinary (target, tried) {
  const isSupported = tried.some(({ name }) => name.startsWith('hypertrace-prometheus-'))
  const lines = tried.map(({ name, error }) => {
    return `  ${name}: ${isMissing(error) ? 'not there' : String(error?.message ?? error).split('\n')[0]}`
  })
  const install = isSupported
    ? [
        '- Install it: remove node_modules and the lock file and run `npm install` without --omit=optional (--no-optional).',
        '  Package managers leave the binary out with that option, or when the lock file was made on another platform.'
      ]
    : [`- Run on a platform that has one: ${SUPPORTED}.`]
  const error = new Error([
    `hypertrace-prometheus has no binary that works on this platform, ${target}. Tried:`,
    ...lines,
    'Either of these helps:',
    ...install,
    '- Build it here: `npx hypertrace-prometheus build`. It needs Rust, https://rustup.rs'
  ].join('\n'))
  const broken = tried.find(({ error }) => !isMissing(error))
  return Object.assign(error, { code: 'ERR_NO_BINARY', target, cause: broken?.error })
}

module.exports = loadBinding
