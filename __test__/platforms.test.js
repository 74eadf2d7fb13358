'use strict'

// Tests how `npm run platforms` reads the properties of binaries, and checks the documents that show its results. The
// program itself does not run here, because it takes an hour.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { describe, faults, inspect } = require('../scripts/platforms/binary')
const { EXCEPTIONS, OMITTED, OMITTED_ON } = require('../scripts/platforms/exceptions')
const { PLATFORMS } = require('../scripts/platforms/platforms')
const report = require('../scripts/platforms/report')
const { TESTS } = require('../scripts/release')
const { napi: { targets }, version } = require('../package.json')

const ROOT = path.join(__dirname, '..')
/** Binaries of another package, for several platforms. */
const OTHERS = path.join(path.dirname(require.resolve('sodium-native/package.json')), 'prebuilds')

test('platforms: each target of the package is built, in the order of the results', () => {
  assert.deepEqual(Object.values(PLATFORMS).map(({ target, published }) => published ?? target).sort(), [...targets].sort())
  assert.deepEqual(Object.keys(PLATFORMS).sort(), fs.readdirSync(path.join(ROOT, 'npm')).sort())
})

test('platforms: the documents show the results', () => {
  const results = report.read()
  assert.equal(between('README.md', 'platforms'), report.shortTable(results))
  assert.equal(between('docs/platforms.md', 'results'), report.longTable(results))
  assert.equal(between('docs/platforms.md', 'exceptions'), report.exceptionTables(results))
})

test('platforms: the results have every platform, and are about this version', () => {
  const results = report.read()
  assert.deepEqual(Object.keys(results), Object.keys(PLATFORMS))
  for (const [name, { run }] of Object.entries(PLATFORMS)) {
    assert.equal(results[name].version, version, name)
    assert.equal(results[name].tests !== undefined, run !== undefined, name)
  }
})

test('platforms: no test failed without a reason', () => {
  for (const [name, { tests }] of Object.entries(report.read())) {
    if (tests === undefined) continue
    assert.deepEqual(tests.failed, [], name)
    assert.ok(tests.passed > 500, `${name}: ${tests.passed} passed`)
  }
})

test('platforms: a test that failed is excepted only if it has a reason on its platform', () => {
  const junction = 'push.test.js: push: a job whose gateway is not there fails'
  const other = 'push.test.js: push: another test'
  const tests = { node: '20', under: 'Wine', seconds: 1, passed: 1, skipped: 0, repeated: [], excepted: [other], failed: [junction] }
  const wine = report.classified('win32-x64-msvc', tests)
  assert.deepEqual([wine.excepted, wine.failed], [[junction], [other]])
  assert.deepEqual(report.classified('linux-x64-gnu', tests).failed, [other, junction])
})

test('platforms: each file of tests in the lists exists', () => {
  const files = [
    ...TESTS, ...Object.keys(OMITTED), ...Object.values(OMITTED_ON).flatMap((omitted) => Object.keys(omitted)),
    ...Object.values(EXCEPTIONS).flat().map(({ file }) => file)
  ]
  for (const file of files) assert.ok(fs.existsSync(path.join(__dirname, file)), file)
})

for (const [platform, expected] of Object.entries({
  'linux-x64': { system: 'linux', arch: 'x64', library: 'libc.so.6' },
  'linux-arm64': { system: 'linux', arch: 'arm64', library: 'libc.so.6' },
  'win32-x64': { system: 'win32', arch: 'x64', library: 'KERNEL32.dll' },
  'win32-arm64': { system: 'win32', arch: 'arm64', library: 'KERNEL32.dll' },
  'darwin-x64': { system: 'darwin', arch: 'x64', library: '/usr/lib/libSystem.B.dylib' },
  'darwin-arm64': { system: 'darwin', arch: 'arm64', library: '/usr/lib/libSystem.B.dylib' }
})) {
  test(`platforms: reads the system, the processor and the libraries of a binary for ${platform}`, () => {
    const binary = inspect(fs.readFileSync(path.join(OTHERS, platform, 'sodium-native.node')))
    assert.deepEqual([binary.system, binary.arch], [expected.system, expected.arch])
    assert.ok(binary.libraries.includes(expected.library), describe(binary))
    assert.equal(binary.glibc !== undefined, expected.system === 'linux')
    assert.equal(binary.macos !== undefined, expected.system === 'darwin')
    const other = platform.startsWith('linux') ? 'win32-x64-msvc' : 'linux-x64-gnu'
    assert.ok(faults(binary, other).includes(`it is for ${expected.system} on ${expected.arch}`))
  })
}

test('platforms: each needed library is named once, in any case of its letters', () => {
  assert.equal(describe({ system: 'win32', arch: 'x64', libraries: ['ntdll.dll', 'KERNEL32.dll', 'kernel32.dll'] }), 'kernel32.dll, ntdll.dll')
})

test('platforms: a newer system, and a library that not every system has, are faults', () => {
  const linux = { system: 'linux', arch: 'x64', libraries: ['libc.so.6'], glibc: '2.17' }
  assert.deepEqual(faults(linux, 'linux-x64-gnu'), [])
  assert.deepEqual(faults({ ...linux, glibc: '2.28' }, 'linux-x64-gnu'), ['it needs glibc 2.28'])
  assert.deepEqual(faults({ ...linux, libraries: ['libssl.so.3'] }, 'linux-x64-gnu'), ['it needs libssl.so.3, which not every system has'])
  assert.deepEqual(faults(linux, 'linux-x64-musl'), ['it needs libc.so.6, which not every system has'])
  const windows = { system: 'win32', arch: 'x64', libraries: ['KERNEL32.dll', 'VCRUNTIME140.dll'] }
  assert.deepEqual(faults(windows, 'win32-x64-msvc'), ['it needs VCRUNTIME140.dll, which not every system has'])
  const macos = { system: 'darwin', arch: 'arm64', libraries: ['/usr/lib/libSystem.B.dylib'], macos: '11.0', isSigned: true }
  assert.deepEqual(faults(macos, 'darwin-arm64'), [])
  assert.deepEqual(faults({ ...macos, macos: '15.0', isSigned: false }, 'darwin-arm64'), [
    'it needs macOS 15.0', 'it has no signature, without which macOS on arm64 loads nothing'
  ])
})

/**
 * @param {string} document
 * @param {string} mark
 */
function between (document, mark) {
  const text = fs.readFileSync(path.join(ROOT, document), 'utf8')
  return new RegExp(`<!-- ${mark} -->\n([^]*?)\n<!-- /${mark} -->`).exec(text)?.[1]
}
