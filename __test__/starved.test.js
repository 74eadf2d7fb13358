'use strict'

/*
 * Tests processes that lack a resource: file descriptors, threads, a free thread of libuv's pool, /proc. The page and metrics()
 * still have every family that prom-client has in such a process.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { lacks } = require('./support/tools')

const FOLDER = path.join(__dirname, 'starved')
const LIMIT = { timeout: 60_000 }
const notLinux = process.platform !== 'linux' && 'only Linux has /proc, and these limits'
const isRoot = process.getuid?.() === 0

/** Runs a program under a command, and returns what it printed as JSON. */
function run (name, { under = [], args = [], env } = {}) {
  const [command, ...rest] = [...under, process.execPath, path.join(FOLDER, name), ...args]
  const { status, signal, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8', timeout: 30_000, env: { ...process.env, ...env } })
  assert.equal(signal ?? status, 0, stderr)
  return JSON.parse(stdout)
}

test('with no file descriptor left the page keeps its process_* and nodejs_heap_* families', { skip: notLinux, ...LIMIT }, () => {
  const [before, ...starved] = run('descriptors.js', { under: ['sh', '-c', 'ulimit -n 100; exec "$@"', 'sh'] })
  assert.equal(Object.keys(before).filter((name) => name.startsWith('process_')).length, 9)
  assert.equal(before.process_max_fds, 100)
  for (const samples of starved) {
    assert.deepEqual(Object.keys(samples), Object.keys(before))
    // Descriptors above the limit may be inherited.
    assert.ok(samples.process_open_fds >= 100, `${samples.process_open_fds}`)
    assert.ok(samples.process_open_fds > before.process_open_fds)
    assert.equal(samples.process_start_time_seconds, before.process_start_time_seconds)
    assert.ok(samples.process_cpu_seconds_total >= before.process_cpu_seconds_total)
  }
})

const MOUNTS = {
  'shows processes only (subset=pid)': 'mount -t proc -o subset=pid proc /proc',
  'hides the processes of others (hidepid=2)': 'mount -t proc -o hidepid=2 proc /proc',
  'is empty': 'mount -t tmpfs none /proc'
}

for (const [name, mount] of Object.entries(MOUNTS)) {
  const under = ['unshare', '-m', 'sh', '-c', `${mount} && exec "$@"`, 'sh']
  const cannotMount = notLinux || (spawnSync(under[0], [...under.slice(1), 'true']).status !== 0 && 'mounts need root')
  test(`if /proc ${name}, the page has every family of prom-client`, { skip: cannotMount, ...LIMIT }, () => {
    const { theirs, ours } = run('proc.js', { under })
    assert.ok(theirs.length > 15, theirs.join())
    assert.deepEqual(theirs.filter((family) => !ours.includes(family)), [])
    for (const family of ['process_cpu_seconds_total', 'process_start_time_seconds', 'process_max_fds']) assert.ok(ours.includes(family), family)
  })
}

test('metrics() and scrapes do not wait for libuv\'s pool', { skip: notLinux, ...LIMIT }, (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'starved-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const fifo = path.join(folder, 'fifo')
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
  assert.deepEqual(run('pool.js', { args: [fifo], env: { UV_THREADPOOL_SIZE: '2' } }), [true, true, true])
})

test('if no thread can be started, opening a server throws a system error at the call, and metrics() resolves', {
  skip: notLinux || (!isRoot && 'it changes the user, which needs root'), ...LIMIT
}, () => {
  const { error, counted } = run('threads.js', { under: ['prlimit', '--nproc=1'] })
  assert.deepEqual({ ...error, message: '' }, { name: 'Error', message: '', code: 'EAGAIN', errno: -os.constants.errno.EAGAIN, syscall: 'pthread_create' })
  assert.match(error.message, /server's thread could not be started.*EAGAIN/)
  assert.equal(counted, true)
})

test('a process whose event loop is blocked from the start has the nodejs_* families', LIMIT, () => {
  const families = run('blocked-from-start.js')
  for (const name of ['process_cpu_seconds_total', 'nodejs_heap_size_used_bytes', 'nodejs_version_info', 'nodejs_gc_duration_seconds', 'hypertrace_sample_age_seconds']) {
    assert.ok(families.includes(name), `${name} is not among ${families.join()}`)
  }
})

test('under Valgrind there is no error: scrapes, gzip, metrics(), a summary and a worker thread', {
  skip: notLinux || lacks('valgrind'), timeout: 240_000
}, () => {
  const program = path.join(FOLDER, 'valgrind.js')
  // --jitless: Valgrind reports errors in the code that V8 generates at run time.
  const args = ['--quiet', '--error-exitcode=9', '--smc-check=all-non-file', process.execPath, '--jitless', '--no-warnings', program]
  const { status, signal, stdout, stderr } = spawnSync('valgrind', args, { encoding: 'utf8', timeout: 200_000 })
  assert.equal(signal ?? status, 0, stderr)
  assert.equal(stdout, 'done\n')
})
