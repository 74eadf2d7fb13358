'use strict'

/*
 * `npm run fuzz`: runs each fuzz target for a minute (or FUZZ_SECONDS), two at a time.
 *
 *   npm run fuzz -- [--seconds 3600] [target…]
 *
 * A run begins with the inputs of fuzz/corpus/<target>/, so that an input that once caused a fault is tested again. An input that
 * causes a new fault is written to fuzz/artifacts/<target>/: correct the fault and move the file into the corpus. The compiler is
 * the stable one (scripts/hardened.js). The target `options` is a JavaScript program, fuzz/options.js.
 */

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { ASAN, COVERAGE, TARGET, cargo, unsupported } = require('./hardened')

const ROOT = path.dirname(__dirname)
const FUZZ = path.join(ROOT, 'fuzz')
const TARGETS = fs.readdirSync(path.join(FUZZ, 'fuzz_targets')).map((name) => path.parse(name).name)
const OPTIONS = 'options'
const AT_A_TIME = 2

async function main () {
  const { values, positionals } = parseArgs({ options: { seconds: { type: 'string', default: process.env.FUZZ_SECONDS ?? '60' } }, allowPositionals: true })
  const targets = positionals.length > 0 ? positionals : [...TARGETS, OPTIONS]
  const reason = unsupported()
  if (reason !== undefined) return console.log(`skipped: ${reason}`)
  if (!cargo('fuzz', [...ASAN, ...COVERAGE], ['build', '--release', '--manifest-path', path.join(FUZZ, 'Cargo.toml')])) {
    process.exitCode = 1
    return
  }
  const waiting = [...targets]
  const work = async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const { code, output } = await (target === OPTIONS ? fuzzOptions(values.seconds) : fuzz(target, values.seconds))
      console.log(`${code === 0 ? 'ok' : 'FAILED'}  ${target}: ${output.trim().split('\n').at(-1)}`)
      if (code === 0) continue
      console.error(output.split('\n').slice(-60).join('\n'))
      process.exitCode = 1
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
}

/**
 * @param {string} target
 * @param {string} seconds
 */
async function fuzz (target, seconds) {
  const found = fs.mkdtempSync(path.join(os.tmpdir(), `fuzz-${target}-`))
  const artifacts = path.join(FUZZ, 'artifacts', target)
  const corpus = path.join(FUZZ, 'corpus', target)
  for (const folder of [artifacts, corpus]) fs.mkdirSync(folder, { recursive: true })
  try {
    return await run(path.join(ROOT, 'target', 'fuzz', TARGET, 'release', target), [
      found, corpus, `-max_total_time=${seconds}`, '-timeout=10', '-rss_limit_mb=2048', `-artifact_prefix=${artifacts}/`, '-print_final_stats=0'
    ])
  } finally {
    fs.rmSync(found, { recursive: true })
  }
}

/** @param {string} seconds */
function fuzzOptions (seconds) {
  return run(process.execPath, [path.join(FUZZ, 'options.js'), seconds])
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function run (command, args) {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output = (output + text).slice(-100_000) })
    child.once('error', (err) => resolve({ code: 1, output: err.message }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

main()
