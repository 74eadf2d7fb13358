'use strict'

/*
 * Loads the addon in Node.js, Bun and Deno: the binary that was built here, or else the binary of the platform's
 * package. The loader of the napi CLI is not used: its errors name no remedy, and its look-up of the C library
 * can take minutes. Each name is a literal inside a `try`, so that bundlers find the binary, and do not fail if it
 * is missing.
 */

const { setAddon } = require('./binding')

/** @typedef {typeof import('../binding')} Binding */
/** @typedef {{ name: string, error: any }} Attempt */

const SUPPORTED = ['linux (glibc and musl)', 'macOS (darwin)', 'Windows (win32)'].join(', ') + ', each on x64 and arm64'

/** The result of `npx hypertrace-prometheus build`. */
const OWN_BUILD = 'hypertrace-prometheus.node'
const INSTALL = [
  '- Install it: remove node_modules and the lock file and run `npm install` without --omit=optional (--no-optional).',
  '  Package managers leave the binary out with that option, or when the lock file was made on another platform.'
]
const INSTALL_BOTH = '- Install both at one version: remove node_modules and the lock file and run `npm install`. Then make the bundle again, if you have one.'
const BUILD_AGAIN = '- Build it again: `npx hypertrace-prometheus build`.'
const BUILD_HERE = '- Build it here: `npx hypertrace-prometheus build`. It needs Rust, https://rustup.rs'

/**
 * Loads the first binary that can be loaded. A binary of another version ends the search with an error, so that
 * the user removes or replaces it.
 *
 * @returns {Binding}
 * @throws {Error} `ERR_NO_BINARY`, which lists what was tried and what helps; or `ERR_BINARY_VERSION`
 */
function loadBinding () {
  /** @type {Attempt[]} */
  const tried = []
  const own = loadOwnBuild(tried)
  if (isAddon(own, OWN_BUILD, tried)) return setAddon(own, OWN_BUILD, [BUILD_AGAIN])
  const { platform, arch } = process
  for (const target of targetsOf(platform, arch)) {
    const built = loadCheckoutBuild(target, tried)
    if (isAddon(built, target, tried)) return setAddon(built, `hypertrace-prometheus.${target}.node`, ['- Build it again: `npm run build`.'])
    const installed = loadPackage(target, tried)
    if (isAddon(installed, target, tried)) return setAddon(installed, `hypertrace-prometheus-${target}`, [INSTALL_BOTH])
  }
  throw noBinary(`${platform}-${arch}`, tried)
}

/**
 * Returns whether a module is the addon. A bundler may have replaced it by another value.
 *
 * @param {Binding | undefined} binding
 * @param {string} name
 * @param {Attempt[]} tried
 * @returns {binding is Binding}
 */
function isAddon (binding, name, tried) {
  if (typeof binding?.Exporter === 'function') return true
  if (binding !== undefined) tried.push({ name, error: new TypeError(`not an addon, but a value of type ${typeof binding}: a bundler has replaced it`) })
  return false
}

/**
 * Returns the names of the binaries to try. The C library of a Linux is not looked up: `process.report`
 * has it, but first looks up the names of all hosts that the process is connected to, which can take minutes.
 * A binary for musl never loads with glibc, but a binary for glibc may load with musl. So musl is tried first.
 *
 * @param {string} platform
 * @param {string} arch
 */
function targetsOf (platform, arch) {
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform === 'linux') return [`linux-${arch}-musl`, `linux-${arch}-gnu`]
  return [`${platform}-${arch}`]
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
    tried.push({ name: OWN_BUILD, error })
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
 * @param {string} target platform and architecture
 * @param {Attempt[]} tried
 */
function noBinary (target, tried) {
  const cause = tried.find(({ error }) => !isMissing(error))?.error
  const disabled = tried.find(({ error }) => error?.code === 'ERR_DLOPEN_DISABLED')?.error
  const lines = tried.map(({ name, error }) => {
    return `  ${name}: ${isMissing(error) ? 'not found' : String(error?.message ?? error).split('\n')[0]}`
  })
  const error = new Error(disabled !== undefined
    ? [
        'hypertrace-prometheus cannot load its binary: this process does not load addons.',
        'Add --allow-addons to the options of node, beside --permission; or remove --no-addons.'
      ].join('\n')
    : [
        `hypertrace-prometheus has no binary that works on this platform, ${target}. Tried:`,
        ...lines,
        'One of these helps:',
        ...remedies(tried)
      ].join('\n'))
  return Object.assign(error, { code: 'ERR_NO_BINARY', target, cause: disabled ?? cause })
}

/** @param {Attempt[]} tried */
function remedies (tried) {
  const isSupported = tried.some(({ name }) => name.startsWith('hypertrace-prometheus-'))
  // `Dynamic require of "…" is not supported` is the error of a bundle of ES modules by esbuild.
  const isBundled = tried.some(({ error }) => /dynamic require|a bundler/i.test(String(error?.message)))
  return [
    ...isBundled ? ["- Leave the package out of the bundle, as an external of the bundler: external: ['hypertrace-prometheus']."] : [],
    ...isSupported ? INSTALL : [`- Run on a platform that has a binary: ${SUPPORTED}.`],
    BUILD_HERE
  ]
}

module.exports = loadBinding()
