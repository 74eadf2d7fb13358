'use strict'

// The package as it is published: what is in it, how it looks to tools, how it builds from source, and
// that what is committed for it is what the napi CLI writes.

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { faults, list } = require('../scripts/pack')
const { installPacked, packThisPlatform } = require('./support/packed')

const ROOT = path.join(__dirname, '..')
const MANIFEST = require('../package.json')

/** @type {ReturnType<typeof packThisPlatform>} */
let packed

before(() => { packed = packThisPlatform() })
after(() => packed?.remove())

test('packed: only what belongs is in the tarballs, and they are small', () => {
  assert.equal(packed.tarballs.platforms.length, 1)
  assert.deepEqual(faults(packed.tarballs), [])
})

test('packed: a file too many, a file too few and a large one are found', () => {
  const { main, platforms } = packed.tarballs
  // Each taken for the other has everything wrong with it.
  const found = faults({ main: platforms[0], platforms: [main] })
  assert.ok(found.some((fault) => /\.node does not belong in the main package/.test(fault)))
  assert.ok(found.some((fault) => /index\.js is missing from the main package/.test(fault)))
  assert.ok(found.some((fault) => /has .*, of at most/.test(fault)))
  assert.ok(found.some((fault) => /expected .*\(a binary\)/.test(fault)))
})

test('packed: the licences of what is linked into a binary go with it', () => {
  const [{ bytes }] = list(packed.tarballs.platforms[0]).filter(({ name }) => name === 'THIRD-PARTY-LICENSES.txt')
  assert.equal(bytes, fs.statSync(path.join(ROOT, 'THIRD-PARTY-LICENSES.txt')).size)
})

test('packed: every file that the package loads is in it', () => {
  const names = list(packed.tarballs.main).map(({ name }) => name)
  for (const name of names.filter((name) => name.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(ROOT, name), 'utf8')
    for (const [, request] of text.matchAll(/require\('(\.[^']*)'\)/g)) {
      if (request.endsWith('.node')) continue
      const file = path.posix.join(path.posix.dirname(name), request)
      assert.ok(names.includes(file) || names.includes(`${file}.js`), `${name} loads ${request}`)
    }
  }
})

test('packed: publint has nothing to say', () => {
  const output = run('publint/src/cli.js', ['run', packed.tarballs.main, '--strict'])
  assert.match(output, /All good!/)
})

test('packed: the types are right for every way to load it', () => {
  const output = run('@arethetypeswrong/cli/dist/index.js', [packed.tarballs.main, '--no-emoji', '--no-color', '--format', 'ascii'])
  assert.match(output, /No problems found/)
})

test('packed: it builds from source in the installed package', { timeout: 600_000 }, () => {
  const project = path.join(packed.folder, 'from-source')
  installPacked(project, [packed.tarballs.main])
  const load = ['-e', "require('hypertrace-prometheus')().metrics().then((page) => console.log(page.split('\\n')[1]))"]
  assert.notEqual(spawnSync(process.execPath, load, { cwd: project }).status, 0)

  // Where `npm run build` has built the crates that this one needs.
  const [, triple] = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' })) ?? []
  const env = { CARGO_TARGET_DIR: path.join(ROOT, 'target'), CARGO_BUILD_TARGET: triple, ...process.env }
  const build = path.join(project, 'node_modules', 'hypertrace-prometheus', 'bin', 'build.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [build, 'build'], { cwd: project, env, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^Built .*hypertrace-prometheus\.node\n$/)
  assert.equal(execFileSync(process.execPath, load, { cwd: project, encoding: 'utf8' }), '# TYPE trace_counter counter\n')
})

test('packed: without cargo, building from source says what to do', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'bin', 'build.js'), 'build'], {
    env: { ...process.env, PATH: path.join(ROOT, 'nowhere'), Path: '' }, encoding: 'utf8'
  })
  assert.equal(status, 1)
  assert.match(stderr, /cargo, which comes with Rust, was not found/)
  assert.match(stderr, /rustup\.rs/)
})

test('packed: the build command tells its use', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'bin', 'build.js')], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /^Usage: npx hypertrace-prometheus build/)
})

test('packed: the packages of npm/ are what the napi CLI writes', (t) => {
  // The CLI writes nowhere but inside of the project.
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

test('packed: the loader knows each of the platforms', () => {
  const loader = fs.readFileSync(path.join(ROOT, 'lib', 'load-binding.js'), 'utf8')
  const known = (pattern) => [...loader.matchAll(pattern)].map(([, target]) => target).sort()
  const targets = fs.readdirSync(path.join(ROOT, 'npm')).sort()
  assert.deepEqual(known(/require\('\.\.\/hypertrace-prometheus\.([\w-]+)\.node'\)/g), targets)
  assert.deepEqual(known(/require\('hypertrace-prometheus-([\w-]+)'\)/g), targets)
})

test('packed: crate and package have one version', () => {
  const [, version] = /^version = "(.*)"$/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8')) ?? []
  assert.equal(version, MANIFEST.version)
})

test('packed: no memory of the addon is handed to V8 as a buffer, which Electron refuses', () => {
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
