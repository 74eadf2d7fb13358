'use strict'

// A registry of npm on this machine, empty at its start and without a connection to another registry.
// verdaccio is installed into target/rehearsal.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { ROOT, run } = require('../platforms/folders')

const FOLDER = path.join(ROOT, 'target', 'rehearsal')
const VERSION = '6.5.0' // runs in Node.js 20; 6.10 does not
/** verdaccio requires a tag of node-fetch that not every registry has. So a version is required instead. */
const OVERRIDES = { 'node-fetch': '2.7.0' }
const START_LIMIT_MS = 60_000

const CONFIGURATION = `
storage: ./storage
auth:
  htpasswd:
    file: ./htpasswd
uplinks: {}
packages:
  '**':
    access: $all
    publish: $authenticated
max_body_size: 100mb
log: { type: file, path: verdaccio.log, level: info }
`

/** Installs verdaccio and returns its program. */
function install () {
  const folder = path.join(FOLDER, 'verdaccio')
  const manifest = path.join(folder, 'node_modules', 'verdaccio', 'package.json')
  const isInstalled = fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, 'utf8')).version === VERSION
  if (!isInstalled) {
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { verdaccio: VERSION }, overrides: OVERRIDES }, null, 2) + '\n')
    run('npm', ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder })
  }
  return path.join(folder, 'node_modules', 'verdaccio', 'bin', 'verdaccio')
}

/** Returns a port that is free at this moment. */
async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts an empty registry.
 *
 * @returns {Promise<{ url: string, token: string, stop: () => Promise<void> }>} with the token of a user
 */
async function startRegistry () {
  const program = install()
  const folder = path.join(FOLDER, 'registry')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'config.yaml'), CONFIGURATION)
  const port = await freePort()
  const child = spawn(process.execPath, [program, '--config', 'config.yaml', '--listen', `127.0.0.1:${port}`], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const closed = once(child, 'close')
  const hasEnded = () => child.exitCode !== null
  const url = `http://127.0.0.1:${port}/`
  const stop = async () => {
    child.kill()
    await closed
  }
  try {
    return { url, token: await addUser(url, hasEnded), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * Adds a user as soon as the registry responds, and returns the user's token.
 *
 * @param {string} url
 * @param {() => boolean} hasEnded
 */
async function addUser (url, hasEnded) {
  const user = { name: 'rehearsal', password: 'rehearsal of a release', type: 'user', roles: [], _id: 'org.couchdb.user:rehearsal' }
  const request = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(user) }
  for (const end = performance.now() + START_LIMIT_MS; ;) {
    const response = await fetch(`${url}-/user/${user._id}`, request).catch(() => undefined)
    if (response?.ok) return /** @type {{ token: string }} */ (await response.json()).token
    if (hasEnded() || performance.now() > end) throw new Error(`the registry does not add a user: ${response?.status ?? 'no response'}`)
    await sleep(200)
  }
}

module.exports = { FOLDER, freePort, startRegistry }
