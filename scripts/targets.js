'use strict'

// Checks the code of every published target with clippy, which needs the standard libraries of the targets but neither
// their linkers nor their C compilers.
//
//   node scripts/targets.js             checks
//   node scripts/targets.js --list      prints the targets of package.json other than that of this machine
//   node scripts/targets.js --installed fails if the standard library of a target is not installed

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { targetTriple } = require('../lib/compile')
const { napi } = require('../package.json')

const ROOT = path.join(__dirname, '..')
const FOLDER = path.join(ROOT, 'target', 'targets')

/**
 * The programs in the place of a C compiler and an archiver. Build scripts start them, but nothing is linked. That of
 * ring wants a clang for Windows on arm64, and copies the archive.
 */
const PROGRAMS = {
  clang: '#!/bin/sh\n',
  archiver: `#!/bin/sh
for argument; do
  case $argument in
    -out:*) printf '!<arch>\\n' >"\${argument#-out:}" ;;
    *.a) printf '!<arch>\\n' >"$argument" ;;
  esac
done
`
}

/** @param {string[]} args */
function rustc (args) {
  return spawnSync('rustc', args, { cwd: ROOT, encoding: 'utf8' }).stdout ?? ''
}

function others () {
  const own = targetTriple({ ...process.env, CARGO_BUILD_TARGET: '' })
  return napi.targets.filter((target) => target !== own)
}

/** @param {string} target */
function isInstalled (target) {
  const folder = rustc(['--print', 'target-libdir', '--target', target]).trim()
  return folder !== '' && fs.existsSync(folder)
}

function check () {
  fs.mkdirSync(FOLDER, { recursive: true })
  for (const [name, text] of Object.entries(PROGRAMS)) fs.writeFileSync(path.join(FOLDER, name), text, { mode: 0o755 })
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...process.env,
    PATH: `${FOLDER}${path.delimiter}${process.env.PATH}`,
    TARGET_CC: path.join(FOLDER, 'clang'),
    TARGET_AR: path.join(FOLDER, 'archiver')
  }
  // The addon uses the C library of the program that loads it.
  for (const arch of ['X86_64', 'AARCH64']) env[`CARGO_TARGET_${arch}_UNKNOWN_LINUX_MUSL_RUSTFLAGS`] = '-C target-feature=-crt-static'
  const targets = others().flatMap((target) => ['--target', target])
  const args = ['clippy', '--locked', '--all-targets', '--target-dir', path.join(ROOT, 'target'), ...targets, '--', '-D', 'warnings']
  return spawnSync('cargo', args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1
}

function main () {
  const [option] = process.argv.slice(2)
  if (option === '--list') console.log(others().join('\n'))
  else if (option === '--installed') process.exitCode = others().every(isInstalled) ? 0 : 1
  else process.exitCode = check()
}

main()
