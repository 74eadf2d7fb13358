'use strict'

// Checks the package as it is published: its files, its types, the build from source, and the committed packages of the
// platforms, which the napi CLI generates.

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { faults } = require('../scripts/pack')
const { installPacked, packThisPlatform } = require('./support/packed')

const ROOT = path.join(__dirname, '..')
const MANIFEST = require('../package.json')

/** @type {ReturnType<typeof packThisPlatform>} */
let packed

before(() => { packed = packThisPlatform() })
after(() => packed?.remove())

test('packed: the tarballs contain the expected files only, and are small', () => {
  assert.equal(packed.tarballs.platforms.length, 1)
  assert.deepEqual(faults(packed.tarballs), [])
})

test('packed: an unexpected file, a missing file and a large package are found', () => {
  const { main, platforms } = packed.tarballs
  // A main package and a platform package that are exchanged have every kind of fault.
  const found = faults({ main: platforms[0], platforms: [main] })
  assert.ok(found.some((fault) => /\.node does not belong in the main package/.test(fault)))
  assert.ok(found.some((fault) => /index\.js is missing from the main package/.test(fault)))
  assert.ok(found.some((fault) => /has .* bytes; the limit is/.test(fault)))
  assert.ok(found.some((fault) => /\.tgz has .*src\/lib\.rs.*; expected LICENSE/.test(fault)), found.join('\n'))
})

test('packed: a prebuild that is missing, or differs from the binary of its platform, is found', () => {
  const { main, platforms } = packed.tarballs
  const others = main.files.filter(({ path }) => !path.startsWith('prebuilds/'))
  assert.equal(others.length, main.files.length - 1)
  assert.ok(faults({ main: { ...main, files: others }, platforms }).some((fault) => /^the prebuild of .* has no bytes, but .*\.node has \d+$/.test(fault)))
  const longer = main.files.map(({ path, size }) => ({ path, size: path.startsWith('prebuilds/') ? size + 1 : size }))
  assert.ok(faults({ main: { ...main, files: longer }, platforms }).some((fault) => /^the prebuild of .* has \d+ bytes, but .*\.node has \d+$/.test(fault)))
})

test('packed: the licences of the linked crates are beside the binary', () => {
  const [{ size }] = packed.tarballs.platforms[0].files.filter(({ path }) => path === 'THIRD-PARTY-LICENSES.txt')
  assert.equal(size, fs.statSync(path.join(ROOT, 'THIRD-PARTY-LICENSES.txt')).size)
})

test('packed: every file that the package loads is in it', () => {
  const names = packed.tarballs.main.files.map(({ path }) => path)
  for (const name of names.filter((name) => name.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(ROOT, name), 'utf8')
    for (const [, request] of text.matchAll(/require\('(\.[^']*)'\)/g)) {
      if (request.endsWith('.node')) continue
      const file = path.posix.join(path.posix.dirname(name), request)
      assert.ok(names.includes(file) || names.includes(`${file}.js`) || names.includes(`${file}/index.js`), `${name} loads ${request}`)
    }
  }
})

test('packed: publint finds no fault', () => {
  const output = run('publint/src/cli.js', ['run', packed.tarballs.main.file, '--strict'])
  assert.match(output, /All good!/)
})

test('packed: the types are correct for every way to load the package', () => {
  const output = run('@arethetypeswrong/cli/dist/index.js', [packed.tarballs.main.file, '--no-emoji', '--no-color', '--format', 'ascii'])
  assert.match(output, /No problems found/)
})

test('packed: the addon can be built from source in the installed package', { timeout: 600_000 }, () => {
  const project = path.join(packed.folder, 'from-source')
  installPacked(project, [packed.tarballs.main])
  const load = ['-e', "require('hypertrace-prometheus')().metrics().then((page) => console.log(page.split('\\n')[1]))"]
  assert.notEqual(spawnSync(process.execPath, load, { cwd: project }).status, 0)

  // With this target folder cargo uses the dependencies that `npm run build` has built.
  const [, triple] = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' })) ?? []
  const env = { CARGO_TARGET_DIR: path.join(ROOT, 'target'), CARGO_BUILD_TARGET: triple, ...process.env }
  const build = path.join(project, 'node_modules', 'hypertrace-prometheus', 'bin', 'hypertrace-prometheus.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [build, 'build'], { cwd: project, env, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^Built .*hypertrace-prometheus\.node\n$/)
  const prebuilds = path.join(path.dirname(path.dirname(build)), 'prebuilds')
  assert.ok(fs.readdirSync(prebuilds).some((host) => host.startsWith(`${process.platform}-${process.arch}`)))
  assert.equal(execFileSync(process.execPath, load, { cwd: project, encoding: 'utf8' }), '# TYPE trace_counter counter\n')
})

test('packed: without cargo, the build from source fails and names rustup', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'bin', 'hypertrace-prometheus.js'), 'build'], {
    env: { ...process.env, PATH: path.join(ROOT, 'nowhere'), Path: '' }, encoding: 'utf8'
  })
  assert.equal(status, 1)
  assert.match(stderr, /cargo, which comes with Rust, was not found/)
  assert.match(stderr, /rustup\.rs/)
})

test('packed: without arguments the program prints its usage', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'bin', 'hypertrace-prometheus.js')], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /^Usage: npx hypertrace-prometheus <command>/)
})

test('packed: the packages in npm/ equal those that the napi CLI generates', (t) => {
  // The CLI writes inside the project only.
  const folder = fs.mkdtempSync(path.join(ROOT, 'target', 'npm-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  run('@napi-rs/cli/dist/cli.js', ['create-npm-dirs', '--npm-dir', path.relative(ROOT, folder)])
  const files = fs.readdirSync(folder, { recursive: true }).map(String).filter((name) => path.extname(name) !== '').sort()
  assert.equal(files.length, 2 * MANIFEST.napi.targets.length)
  for (const name of files) {
    const committed = fs.readFileSync(path.join(ROOT, 'npm', name), 'utf8')
    assert.equal(committed, fs.readFileSync(path.join(folder, name), 'utf8'), `npm/${name}`)
  }
})

test('packed: the loader has every platform', () => {
  const loader = fs.readFileSync(path.join(ROOT, 'lib', 'load-binding.js'), 'utf8')
  const namesIn = (pattern) => [...loader.matchAll(pattern)].map(([, target]) => target).sort()
  const targets = fs.readdirSync(path.join(ROOT, 'npm')).sort()
  assert.deepEqual(namesIn(/require\('\.\.\/hypertrace-prometheus\.([\w-]+)\.node'\)/g), targets)
  assert.deepEqual(namesIn(/require\('hypertrace-prometheus-([\w-]+)'\)/g), targets)
})

test('packed: crate, package and JavaScript files have the same version', () => {
  const [, version] = /^version = "(.*)"$/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8')) ?? []
  assert.equal(version, MANIFEST.version)
  assert.equal(require('../lib/version'), MANIFEST.version)
})

test('packed: the addon gives V8 no buffer of its own memory, which Electron rejects', () => {
  const sources = fs.readdirSync(path.join(ROOT, 'src'), { recursive: true }).map(String).filter((name) => name.endsWith('.rs'))
  assert.ok(sources.length > 10)
  for (const name of sources) {
    const text = fs.readFileSync(path.join(ROOT, 'src', name), 'utf8')
    assert.doesNotMatch(text, /from_external|create_external|external_arraybuffer|external_buffer|\w(Array|Buffer)::(new|from|with_data_copied)\(/, name)
  }
})

/**
 * @param {string} program a file of an installed package
 * @param {string[]} args
 */
function run (program, args) {
  const file = path.join(ROOT, 'node_modules', program)
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { cwd: ROOT, encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  return stdout
}
