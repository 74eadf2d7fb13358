'use strict'

// Tests scripts/setup.js with the real npm and cargo. A small project has this project's build script and an
// almost empty crate, so a build takes a second. It writes the same output files as the real build.

const assert = require('node:assert/strict')
const { execFile, execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')

const ROOT = path.join(__dirname, '..')
const MANIFEST = require('../package.json')
const NAPI_CLI = path.join(ROOT, 'node_modules', '@napi-rs', 'cli')
const MINUTE_MS = 60_000
const PAST = new Date(Date.now() - MINUTE_MS)
const INSTALL = 'Installing'
const BUILD = 'Building'

const FILES = {
  'package.json': JSON.stringify({
    name: MANIFEST.name,
    version: MANIFEST.version,
    napi: MANIFEST.napi,
    scripts: { build: MANIFEST.scripts.build },
    devDependencies: { '@napi-rs/cli': 'file:./napi-cli' }
  }),
  'napi-cli/package.json': '{ "name": "@napi-rs/cli", "version": "1.0.0" }',
  'napi-cli/index.js': `module.exports = require(${JSON.stringify(NAPI_CLI)})\n`,
  'Cargo.toml': `
    [package]
    name = "${MANIFEST.name}"
    version = "0.0.0"
    edition = "2024"

    [lib]
    crate-type = ["cdylib"]
  `,
  'build.rs': 'fn main() {}',
  'src/lib.rs': 'mod server;',
  'src/server/mod.rs': '',
  'src/server/unused.rs': ''
}

let folder = ''
let fresh = ''
let ready = ''
let readySteps = []

before(async () => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'set-up-')))
  fresh = path.join(folder, 'fresh')
  for (const [name, text] of Object.entries(FILES)) write(path.join(fresh, name), text)
  for (const name of ['lib', 'scripts']) fs.mkdirSync(path.join(fresh, name))
  for (const name of ['lib/compile.js', 'lib/rust-flags.js', 'scripts/build.js', 'scripts/setup.js', 'rust-toolchain.toml']) fs.copyFileSync(path.join(ROOT, name), path.join(fresh, name))
  run('npm', ['install', '--package-lock-only', '--offline', '--ignore-scripts', '--no-audit', '--no-fund'])
  run('cargo', ['generate-lockfile', '--offline'])
  for (const name of fs.readdirSync(fresh, { recursive: true })) fs.utimesSync(path.join(fresh, String(name)), PAST, PAST)

  ready = path.join(folder, 'ready')
  copy(fresh, ready)
  const { code, output, steps } = await setUp(ready)
  assert.equal(code, 0, output)
  readySteps = steps
})

after(() => fs.rmSync(folder, { recursive: true, force: true }))

test('set-up: a fresh clone is installed and built', () => {
  assert.deepEqual(readySteps, [INSTALL, BUILD])
  assert.ok(fs.readdirSync(ready).some((name) => name.endsWith('.node')))
})

test('set-up: a ready project needs no cargo and no npm, and nothing runs', async (t) => {
  await assertReady(createProject(t, ready))
})

test('set-up: a newer lock file is installed, and nothing is built', async (t) => {
  const project = createProject(t, ready)
  touch(path.join(project, 'package-lock.json'))
  assert.deepEqual((await setUp(project)).steps, [INSTALL])
  await assertReady(project)
})

for (const source of ['src/server/mod.rs', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'rust-toolchain.toml']) {
  test(`set-up: a newer ${source} is built, and nothing is installed`, async (t) => {
    const project = createProject(t, ready)
    touch(path.join(project, source))
    const { code, output, steps } = await setUp(project)
    assert.equal(code, 0, output)
    assert.deepEqual(steps, [BUILD])
    await assertReady(project)
  })
}

test('set-up: after a source file is removed the addon is built once', async (t) => {
  const project = createProject(t, ready)
  fs.rmSync(path.join(project, 'src/server/unused.rs'))
  touch(path.join(project, 'src/server'))
  assert.deepEqual((await setUp(project)).steps, [BUILD])
  await assertReady(project)
})

for (const output of ['.node', 'binding.d.ts']) {
  test(`set-up: without the output ${output} the addon is built`, async (t) => {
    const project = createProject(t, ready)
    const name = fs.readdirSync(project).find((name) => name.endsWith(output))
    fs.rmSync(path.join(project, name))
    assert.deepEqual((await setUp(project)).steps, [BUILD])
    assert.ok(fs.existsSync(path.join(project, name)))
    await assertReady(project)
  })
}

test('set-up: without cargo a fresh clone is left as it is, and the error names rustup', async (t) => {
  const project = createProject(t, fresh)
  const { code, output, steps } = await setUp(project, WITHOUT_PROGRAMS)
  assert.equal(code, 1)
  assert.match(output, /^The addon is written in Rust.*\n.*https:\/\/rustup\.rs.*\n$/)
  assert.deepEqual(steps, [])
})

test('set-up: a failed installation is reported, and nothing is built', async (t) => {
  const project = createProject(t, fresh)
  write(path.join(project, 'package-lock.json'), '{ "lockfileVersion": 3, "packages": {} }')
  const { code, output, steps } = await setUp(project)
  assert.equal(code, 1)
  assert.match(output, /npm ci failed\.\n$/)
  assert.deepEqual(steps, [INSTALL])
})

test('set-up: a failed build is reported', async (t) => {
  const project = createProject(t, ready)
  write(path.join(project, 'src/lib.rs'), 'not Rust')
  touch(path.join(project, 'src/lib.rs'))
  const { code, output } = await setUp(project)
  assert.equal(code, 1)
  assert.match(output, /npm run build failed\.\n$/)
})

const WITHOUT_PROGRAMS = { PATH: '', Path: '', npm_execpath: '' }

async function assertReady (project) {
  assert.deepEqual(await setUp(project, WITHOUT_PROGRAMS), { code: 0, output: '', steps: [] })
}

/** Runs setup.js in a project. `steps` are the steps that setup.js has started. */
function setUp (project, env = {}) {
  return new Promise((resolve) => {
    // A target folder that is shared with other projects would have their artefacts of the same name.
    const { CARGO_TARGET_DIR, ...inherited } = process.env
    const options = { cwd: project, timeout: 2 * MINUTE_MS, env: { ...inherited, ...env } }
    execFile(process.execPath, [path.join(project, 'scripts/setup.js')], options, (err, stdout, stderr) => {
      const output = stdout + stderr
      resolve({ code: err ? err.code : 0, output, steps: output.match(/^(Installing|Building)\b(?=.* …$)/gm) ?? [] })
    })
  })
}

/** Creates a copy of a project, which is removed after the test. */
function createProject (t, from) {
  const project = fs.mkdtempSync(path.join(folder, 'project-'))
  t.after(() => fs.rmSync(project, { recursive: true, force: true }))
  copy(from, project)
  return project
}

/** Copies a project with all modification times; `cpSync` preserves only the times of files. */
function copy (from, to) {
  fs.cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  const folders = fs.readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { parentPath, path: olderName, name } of folders) {
    const relative = path.relative(from, path.join(parentPath ?? olderName, name))
    const { atime, mtime } = fs.statSync(path.join(from, relative))
    fs.utimesSync(path.join(to, relative), atime, mtime)
  }
}

function write (file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}

/** Makes a file newer than every output of the earlier build. */
function touch (file) {
  const now = new Date()
  fs.utimesSync(file, now, now)
}

function run (command, args) {
  execFileSync(command, args, { cwd: fresh, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
}
