'use strict'

/*
 * `npm run asan`: runs the Rust tests, and some JavaScript tests with an addon, under AddressSanitizer, with the stable
 * compiler (scripts/hardened.js). The runtime of the sanitizer must be loaded before Node.js, so LD_PRELOAD names it.
 * `npm run asan -- rust` runs only the Rust tests, and `npm run asan -- addon` only the JavaScript tests.
 */

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { ASAN, TARGET, cargo, unsupported } = require('./hardened')

const ROOT = path.dirname(__dirname)
const PLATFORM = `linux-${process.arch}-gnu`
/** Programs of the tests that do not depend on speed. This program causes every kind of response, and has a worker thread. */
const PROGRAMS = [['__test__/starved/valgrind.js']]
const TESTS = ['behaviour', 'gzip', 'labels', 'protobuf', 'workers-page', 'values'].map((name) => `__test__/${name}.test.js`)

/** Tests that measure the memory of the process. */
const MEASURE_MEMORY = ['a_page_of_20_mb_takes_less_than_3_mb_of_memory', 'case_29_', 'case_30_']

function main () {
  const reason = unsupported()
  if (reason !== undefined) return console.log(`skipped: ${reason}`)
  const only = process.argv.slice(2)
  const passed = (only.includes('addon') || rustTests()) && (only.includes('rust') || addonTests())
  if (!passed) process.exitCode = 1
}

function rustTests () {
  // Some tests leak memory on purpose, so leaks are not detected. The sanitizer itself uses memory, so the tests that
  // measure memory are skipped.
  return cargo('asan', ASAN, ['test', '--locked', '--no-fail-fast', '--lib', '--tests'], { ASAN_OPTIONS: 'detect_leaks=0' }, MEASURE_MEMORY.flatMap((name) => ['--skip', name]))
}

function addonTests () {
  if (!cargo('asan', ASAN, ['build', '--locked', '--lib'])) return false
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'asan-'))
  try {
    for (const name of ['__test__', 'index.js', 'lib', 'package.json', 'scripts']) fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
    const library = path.join(ROOT, 'target', 'asan', TARGET, 'debug', 'libhypertrace_prometheus.so')
    fs.copyFileSync(library, path.join(folder, `hypertrace-prometheus.${PLATFORM}.node`))
    return [...PROGRAMS, ['--test', ...TESTS]].every((args) => runs(folder, args))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/**
 * @param {string} folder
 * @param {string[]} args
 */
function runs (folder, args) {
  const runtime = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
  const env = {
    ...process.env,
    // The copy has no `target/`, where some tests find programs. These tests are skipped: the programs have no sanitizer.
    CI_REQUIRE: '',
    LD_PRELOAD: fs.realpathSync(runtime),
    // V8 does not free all of its memory at its end, so leaks are not detected.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=9'
  }
  return spawnSync(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}

main()
