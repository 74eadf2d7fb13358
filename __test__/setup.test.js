'use strict'

// scripts/setup.js in a copy of the project's bones, with an npm that writes down what it was asked
// for and does what the real one would leave behind.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')

const SETUP = path.join(__dirname, '..', 'scripts', 'setup.js')
const BINARY = `hypertrace-prometheus.${process.platform}-${process.arch}-gnu.node`
const OLD = new Date(Date.now() - 60_000)
const NPM = `
  const fs = require('node:fs')
  const command = process.argv[2]
  fs.appendFileSync('npm.log', process.argv.slice(2).join(' ') + '\\n')
  if (process.env.NPM_FAILS === command) process.exit(3)
  if (command === 'ci') {
    fs.mkdirSync('node_modules', { recursive: true })
    fs.writeFileSync('node_modules/.package-lock.json', '{}')
  } else {
    fs.writeFileSync('${BINARY}', '')
    fs.writeFileSync('binding.js', '')
  }
`
const INSTALL = 'ci --ignore-scripts --no-audit --no-fund'
const BUILD = 'run build'

test('set-up: a fresh clone is installed and built', async t => {
  const project = createProject(t)
  const { code, output } = await project.setUp()
  assert.equal(code, 0, output)
  assert.deepEqual(project.npmCalls(), [INSTALL, BUILD])
})

test('set-up: a project that is ready is left alone', async t => {
  const project = createProject(t)
  await project.setUp()
  const { code, output } = await project.setUp()
  assert.equal(code, 0)
  assert.equal(output, '')
  assert.deepEqual(project.npmCalls(), [INSTALL, BUILD])
})

test('set-up: a newer lock file is installed, nothing built', async t => {
  const project = createProject(t)
  await project.setUp()
  project.age('node_modules/.package-lock.json')
  project.write('package-lock.json')
  assert.equal((await project.setUp()).code, 0)
  assert.deepEqual(project.npmCalls(), [INSTALL, BUILD, INSTALL])
})

for (const source of ['src/server/mod.rs', 'Cargo.toml', 'Cargo.lock', 'build.rs']) {
  test(`set-up: a newer ${source} is built, nothing installed`, async t => {
    const project = createProject(t)
    await project.setUp()
    project.age(BINARY)
    project.write(source)
    assert.equal((await project.setUp()).code, 0)
    assert.deepEqual(project.npmCalls(), [INSTALL, BUILD, BUILD])
  })
}

test('set-up: without cargo it names rustup and starts nothing', async t => {
  const project = createProject(t)
  fs.rmSync(path.join(project.folder, 'bin'), { recursive: true })
  const { code, output } = await project.setUp()
  assert.equal(code, 1)
  assert.match(output, /^The addon is written in Rust.*\n.*https:\/\/rustup\.rs.*\n$/)
  assert.deepEqual(project.npmCalls(), [])
})

test('set-up: without cargo a project that is built is still ready', async t => {
  const project = createProject(t)
  await project.setUp()
  fs.rmSync(path.join(project.folder, 'bin'), { recursive: true })
  assert.equal((await project.setUp()).code, 0)
})

test('set-up: an installation that fails is told and nothing is built', async t => {
  const project = createProject(t)
  const { code, output } = await project.setUp({ NPM_FAILS: 'ci' })
  assert.equal(code, 1)
  assert.match(output, /npm ci failed\.\n$/)
  assert.deepEqual(project.npmCalls(), [INSTALL])
})

test('set-up: a build that fails is told', async t => {
  const project = createProject(t)
  const { code, output } = await project.setUp({ NPM_FAILS: 'run' })
  assert.equal(code, 1)
  assert.match(output, /npm run build failed\.\n$/)
})

function createProject (t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'set-up-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const at = name => path.join(folder, name)
  const write = name => {
    fs.mkdirSync(path.dirname(at(name)), { recursive: true })
    fs.writeFileSync(at(name), '')
  }
  const age = name => fs.utimesSync(at(name), OLD, OLD)

  const sources = ['src/server/mod.rs', 'src/lib.rs', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'package-lock.json']
  for (const name of sources) {
    write(name)
    age(name)
  }
  for (const name of ['src', 'src/server']) age(name)
  write('scripts/setup.js')
  fs.copyFileSync(SETUP, at('scripts/setup.js'))
  fs.writeFileSync(at('npm.js'), NPM)
  write('bin/cargo')
  fs.writeFileSync(at('bin/cargo'), '#!/bin/sh\n', { mode: 0o755 })
  fs.chmodSync(at('bin/cargo'), 0o755)

  return {
    folder,
    write,
    age,
    npmCalls: () => {
      if (!fs.existsSync(at('npm.log'))) return []
      return fs.readFileSync(at('npm.log'), 'utf8').trimEnd().split('\n')
    },
    setUp: env => new Promise(resolve => {
      const options = {
        cwd: folder,
        timeout: 30_000,
        env: { PATH: at('bin'), npm_execpath: at('npm.js'), ...env }
      }
      execFile(process.execPath, [at('scripts/setup.js')], options, (err, stdout, stderr) => {
        resolve({ code: err ? err.code : 0, output: stdout + stderr })
      })
    })
  }
}
