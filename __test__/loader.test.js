'use strict'

// The errors of the loader, in a copy of the package without a binary.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')

const ROOT = path.join(__dirname, '..')
let folder = ''

before(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loader-')))
  for (const name of ['index.js', 'package.json', 'lib']) fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
})
after(() => fs.rmSync(folder, { recursive: true }))

test('loader: without a binary the error names the platform, what was tried and both remedies', () => {
  const { code, target, message } = failure({ platform: 'darwin', arch: 'arm64' })
  assert.equal(code, 'ERR_NO_BINARY')
  assert.equal(target, 'darwin-arm64')
  assert.deepEqual(message.split('\n'), [
    'hypertrace-prometheus has no binary that works on this platform, darwin-arm64. Tried:',
    '  hypertrace-prometheus.node: not there',
    '  hypertrace-prometheus-darwin-arm64: not there',
    'Either of these helps:',
    '- Install it: remove node_modules and the lock file and run `npm install` without --omit=optional (--no-optional).',
    '  Package managers leave the binary out with that option, or when the lock file was made on another platform.',
    '- Build it here: `npx hypertrace-prometheus build`. It needs Rust, https://rustup.rs'
  ])
})

test('loader: on Linux it tries both C libraries, the one that is there first', () => {
  const { target, message } = failure({ platform: 'linux', arch: 'arm64' })
  assert.ok(['linux-arm64-gnu', 'linux-arm64-musl'].includes(target))
  assert.match(message, /linux-arm64-gnu: not there/)
  assert.match(message, /linux-arm64-musl: not there/)
})

test('loader: on a platform without a package the error does not suggest an installation', () => {
  const { message } = failure({ platform: 'freebsd', arch: 'x64' })
  assert.match(message, /freebsd-x64/)
  assert.match(message, /Run on a platform that has one: linux/)
  assert.match(message, /npx hypertrace-prometheus build/)
  assert.doesNotMatch(message, /omit=optional/)
})

test('loader: the error of a binary that does not load is in the message', (t) => {
  const broken = path.join(folder, 'hypertrace-prometheus.node')
  fs.writeFileSync(broken, 'not a library')
  t.after(() => fs.rmSync(broken))
  const { message, cause } = failure({ platform: 'linux', arch: 'x64' })
  assert.match(message, /^ {2}hypertrace-prometheus\.node: (?!not there)./m)
  assert.equal(typeof cause, 'string')
})

/**
 * Loads the copy as if on another platform.
 *
 * @param {{ platform: string, arch: string }} host
 */
function failure ({ platform, arch }) {
  const script = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} })
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} })
    try { require('./index.js') } catch ({ code, target, message, cause }) {
      console.log(JSON.stringify({ code, target, message, cause: cause && cause.message }))
    }`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' })
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout)
}
