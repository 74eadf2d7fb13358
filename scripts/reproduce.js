'use strict'

// `npm run reproduce`: builds the release addon twice from nothing, from copies of the source in different folders, with
// different target folders and homes of cargo, and fails if the binaries differ. Takes two release builds.

const { execFileSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const HOME = process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo')

function main () {
  const scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'reproduce-')))
  try {
    const folders = ['one', path.join('another', 'folder')].map((name) => path.join(scratch, name))
    folders.forEach(copy)
    const binaries = folders.map(build)
    const digests = binaries.map((binary) => createHash('sha256').update(binary).digest('hex'))
    console.log(digests.map((digest, index) => `${digest}  ${binaries[index].length} bytes`).join('\n'))
    if (digests[0] === digests[1]) return
    const first = binaries[0].findIndex((byte, index) => byte !== binaries[1][index])
    console.error(`The binaries differ, first at byte ${first}. With KEEP=1 they stay in ${scratch}.`)
    process.exitCode = 1
  } finally {
    if (process.env.KEEP !== '1') fs.rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * Copies the files that git tracks, and links the crates of this machine's cargo into another home of cargo.
 *
 * @param {string} folder
 */
function copy (folder) {
  const source = path.join(folder, 'source')
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter((name) => name !== '')
  for (const name of names) {
    if (fs.existsSync(path.join(ROOT, name))) fs.cpSync(path.join(ROOT, name), path.join(source, name))
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(source, 'node_modules'), 'junction')
  const home = path.join(folder, 'cargo')
  fs.mkdirSync(home)
  for (const name of fs.readdirSync(HOME)) fs.symlinkSync(path.join(HOME, name), path.join(home, name))
}

/** @param {string} folder */
function build (folder) {
  const source = path.join(folder, 'source')
  const env = { ...process.env, CARGO_HOME: path.join(folder, 'cargo'), CARGO_TARGET_DIR: path.join(folder, 'target') }
  execFileSync('npm', ['run', 'build'], { cwd: source, env, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
  const binary = fs.readdirSync(source).find((name) => name.endsWith('.node'))
  if (binary === undefined) throw new Error('The build wrote no binary')
  return fs.readFileSync(path.join(source, binary))
}

main()
