'use strict'

// Tests the errors of the loader, in a copy of the package without a binary, or with the binary that was built here.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { version } = require('../package.json')
const { builtPlatforms } = require('../scripts/prebuilds')

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
    '  hypertrace-prometheus.node: not found',
    '  hypertrace-prometheus-darwin-arm64: not found',
    'One of these helps:',
    '- Install it: remove node_modules and the lock file and run `npm install` without --omit=optional (--no-optional).',
    '  Package managers leave the binary out with that option, or when the lock file was made on another platform.',
    '- Build it here: `npx hypertrace-prometheus build`. It needs Rust, https://rustup.rs'
  ])
})

test('loader: on Linux the loader tries the binaries for both C libraries, musl first', () => {
  const { target, message } = failure({ platform: 'linux', arch: 'arm64' })
  assert.equal(target, 'linux-arm64')
  assert.match(message, /linux-arm64-musl: not found\n.*linux-arm64-gnu: not found/)
})

test('loader: on a platform without a package the error does not suggest an installation', () => {
  const { message } = failure({ platform: 'freebsd', arch: 'x64' })
  assert.match(message, /freebsd-x64/)
  assert.match(message, /Run on a platform that has a binary: linux/)
  assert.match(message, /npx hypertrace-prometheus build/)
  assert.doesNotMatch(message, /omit=optional/)
})

test('loader: the error of a binary that does not load is in the message', (t) => {
  const broken = path.join(folder, 'hypertrace-prometheus.node')
  fs.writeFileSync(broken, 'not a library')
  t.after(() => fs.rmSync(broken))
  const { message, cause } = failure({ platform: 'linux', arch: 'x64' })
  assert.match(message, /^ {2}hypertrace-prometheus\.node: (?!not found)./m)
  assert.equal(typeof cause, 'string')
})

const [PLATFORM] = builtPlatforms()
/** The binaries that a test puts into the copy, with the remedy that the error names. */
const BINARIES = {
  'hypertrace-prometheus.node': 'Build it again: `npx hypertrace-prometheus build`.',
  [`hypertrace-prometheus.${PLATFORM}.node`]: 'Build it again: `npm run build`.',
  [`hypertrace-prometheus-${PLATFORM}`]: 'Install both at one version: remove node_modules and the lock file and run `npm install`.'
}

for (const [name, remedy] of Object.entries(BINARIES)) {
  test(`loader: ${name} of another version is an error that says what to do`, (t) => {
    const file = name.endsWith('.node') ? name : path.join('node_modules', name, 'index.node')
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.copyFileSync(path.join(ROOT, `hypertrace-prometheus.${PLATFORM}.node`), path.join(folder, file))
    const versionFile = path.join(folder, 'lib', 'version.js')
    const text = fs.readFileSync(versionFile, 'utf8')
    t.after(() => {
      fs.rmSync(path.join(folder, file))
      fs.writeFileSync(versionFile, text)
    })
    assert.equal(load(folder, []).stdout, '"loaded"\n')

    fs.writeFileSync(versionFile, "module.exports = '9.9.9'\n")
    const { code, expected, found, message } = JSON.parse(load(folder, []).stdout)
    assert.deepEqual({ code, expected, found }, { code: 'ERR_BINARY_VERSION', expected: '9.9.9', found: version })
    const [first, second] = message.split('\n')
    assert.equal(first, `hypertrace-prometheus 9.9.9 cannot use a binary of version ${version}: ${name}. This helps:`)
    assert.ok(second.startsWith(`- ${remedy}`), second)
  })
}

test('loader: the error for an addon without a version says that it is an older one', () => {
  const script = `
    require('./lib/binding').setAddon({ Exporter: class {} }, 'a.node', ['- Build it again.'])`
  const { stderr } = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' })
  assert.match(stderr, /cannot use a binary of an older version: a\.node\. This helps:\r?\n- Build it again\./)
})

/** The flag of the permission model, which Node.js 20 calls experimental. */
const PERMISSION = ['--permission', '--experimental-permission'].find((flag) => process.allowedNodeEnvironmentFlags.has(flag))

for (const flags of [[PERMISSION, '--allow-fs-read=*'], ['--no-addons']]) {
  test(`loader: with ${flags[0]} the error names the flag that helps`, () => {
    const { status, stdout, stderr } = load(ROOT, flags)
    assert.equal(status, 0, stderr)
    const { code, message, cause } = JSON.parse(stdout)
    assert.equal(code, 'ERR_NO_BINARY')
    assert.match(message, /--allow-addons .*--permission; or remove --no-addons/)
    assert.match(cause, /addons is disabled|Cannot load native addon/)
  })
}

test('loader: with --allow-addons the addon loads under the permission model', () => {
  const { status, stdout, stderr } = load(ROOT, [PERMISSION, '--allow-fs-read=*', '--allow-addons'])
  assert.equal(status, 0, stderr)
  assert.equal(stdout, '"loaded"\n')
})

test('loader: the loader reads only modules, and requests no report of the process', () => {
  const spy = `
    const fs = require('node:fs')
    const read = []
    for (const name of ['readFileSync', 'openSync', 'readdirSync']) {
      const original = fs[name]
      fs[name] = (path, ...rest) => { read.push(String(path)); return original(path, ...rest) }
    }
    process.report.getReport = () => { read.push('report'); return { header: {} } }
    process.on('exit', () => {
      const others = read.filter((path) => !/\\.(js|json|node)$/.test(path))
      if (others.length > 0) console.log(others.join())
    })`
  const { status, stdout, stderr } = load(ROOT, [], spy)
  assert.equal(status, 0, stderr)
  assert.equal(stdout, '"loaded"\n')
})

/**
 * Loads the package in a folder, and prints the error or "loaded".
 *
 * @param {string} folder
 * @param {(string | undefined)[]} flags
 * @param {string} [before] runs first
 */
function load (folder, flags, before = '') {
  const script = `${before}
    let result = 'loaded'
    try { require('./') } catch ({ code, target, message, cause, expected, found }) {
      result = { code, target, message, cause: cause && cause.message, expected, found }
    }
    console.log(JSON.stringify(result))`
  return spawnSync(process.execPath, ['--no-warnings', ...flags, '-e', script], { cwd: folder, encoding: 'utf8' })
}

/**
 * Loads the copy as if on another platform.
 *
 * @param {{ platform: string, arch: string }} host
 */
function failure ({ platform, arch }) {
  const host = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} })
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} })`
  const { stdout, stderr } = load(folder, [], host)
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout)
}
