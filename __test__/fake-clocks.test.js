'use strict'

/*
 * The exporter under the fake clocks of test frameworks, each the real one: it has no timer on the application's clock, so that
 * an open server keeps the process alive, stop() ends it, and "run all timers" returns.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')

const ROOT = path.join(__dirname, '..')
const FOLDER = path.join(__dirname, 'fake-clocks')
const LIMIT_MS = 60_000

/** Runs Node.js with these arguments; the process must end by itself. */
function run (args, env = {}) {
  // The runner of this test must not reach the child's.
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: ROOT, encoding: 'utf8', timeout: LIMIT_MS, env: { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1', ...env }
  })
  assert.equal(error, undefined, `${stdout}${stderr}`)
  assert.equal(signal ?? status, 0, `${stdout}${stderr}`)
  return { stdout, stderr }
}

const steps = { open: 'kept alive\n', stop: 'stopped\n', restart: 'restarted\n' }

for (const [clock, name] of Object.entries({ sinon: 'sinon', node: 'node:test' })) {
  for (const [step, expected] of Object.entries(steps)) {
    test(`fake clock of ${name}: ${step}`, { timeout: LIMIT_MS }, () => {
      const { stdout } = run(['--no-warnings', path.join(FOLDER, 'program.js'), clock, step])
      assert.equal(stdout, expected)
    })
  }
}

test('fake clock of jest, in its sandbox', { timeout: LIMIT_MS }, () => {
  const config = { rootDir: ROOT, roots: [FOLDER], testMatch: ['**/*.jest.js'], testEnvironment: 'node' }
  const { stderr } = run([require.resolve('jest/bin/jest'), '--ci', '--watchman=false', '--config', JSON.stringify(config)])
  assert.match(stderr, /^Tests: +2 passed, 2 total$/m)
  assert.doesNotMatch(stderr, /did not exit|open handle/i)
})

for (const pool of ['threads', 'forks', 'vmThreads']) {
  test(`fake clock of vitest, pool ${pool}`, { timeout: LIMIT_MS }, () => {
    const vitest = path.join(path.dirname(require.resolve('vitest/package.json')), 'vitest.mjs')
    const { stdout } = run([vitest, 'run', '--root', FOLDER, '--pool', pool, '--config', path.join(FOLDER, 'vitest.config.mjs')])
    assert.match(stdout, /Tests +2 passed \(2\)/)
  })
}
