'use strict'

/*
 * Tests the exporter under the fake clocks of sinon, node:test, jest and vitest. The exporter sets no timer on the clock of the application.
 * Therefore an open server keeps the process alive, stop() lets the process end, and "run all timers" returns.
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
  // With NODE_TEST_CONTEXT, a child that runs tests would report them to the runner of this test.
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
