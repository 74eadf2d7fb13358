'use strict'

// Packs what is published: the main package, and for each binary in npm/<platform>/ that platform's.
// `node scripts/pack.js <folder>` leaves the tarballs there, checked: only what belongs is in them, and
// they are small. The release does it, and so does a test.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const zlib = require('node:zlib')

const ROOT = path.dirname(__dirname)
const MB = 1_000_000
const MOST_BINARY_BYTES = 3 * MB
const MOST_INSTALLED_BYTES = 4 * MB
const MOST_MAIN_BYTES = MB

const NOTICES = ['LICENSE', 'NOTICE', 'THIRD-PARTY-LICENSES.txt']
const MAIN_FILES = /^(package\.json|index\.js|index\.d\.ts|lib\/[\w-]+\.js|src\/([\w-]+\/)*[\w-]+\.(rs|css|html|mjs|svg)|Cargo\.(toml|lock)|build\.rs|docs\/[\w.-]+\.md|grafana\/(README\.md|dashboard\.json)|prometheus\/[\w.]+\.yml|LICENSE|NOTICE|README\.md|CHANGELOG\.md)$/
const MAIN_NEEDS = ['package.json', 'index.js', 'index.d.ts', 'lib/load-binding.js', 'src/lib.rs', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'docs/http-interface.md', 'grafana/dashboard.json', 'prometheus/alerts.rules.yml', 'prometheus/prometheus.yml', 'prometheus/recording.rules.yml', 'LICENSE', 'NOTICE', 'README.md', 'CHANGELOG.md']

/** @typedef {{ name: string, bytes: number }} Entry */

/**
 * @param {string} folder where the tarballs go
 * @param {string} [platforms] where the platforms' packages are
 * @returns {{ main: string, platforms: string[] }} the tarballs
 */
function pack (folder, platforms = path.join(ROOT, 'npm')) {
  const binaries = fs.readdirSync(platforms).filter((name) => fs.existsSync(path.join(platforms, name, `hypertrace-prometheus.${name}.node`)))
  return {
    main: packOne(ROOT, folder),
    platforms: binaries.map((name) => packPlatform(path.join(platforms, name), folder))
  }
}

/**
 * A platform's package, with the notices that the licences of what is in the binary ask for where it is.
 *
 * @param {string} from
 * @param {string} to
 */
function packPlatform (from, to) {
  const staged = fs.mkdtempSync(path.join(os.tmpdir(), 'platform-'))
  try {
    fs.cpSync(from, staged, { recursive: true })
    for (const name of NOTICES) fs.copyFileSync(path.join(ROOT, name), path.join(staged, name))
    const manifest = path.join(staged, 'package.json')
    const { files, ...rest } = JSON.parse(fs.readFileSync(manifest, 'utf8'))
    fs.writeFileSync(manifest, JSON.stringify({ ...rest, files: [...files, ...NOTICES] }, null, 2) + '\n')
    return packOne(staged, to)
  } finally {
    fs.rmSync(staged, { recursive: true })
  }
}

/**
 * @param {string} from
 * @param {string} to
 */
function packOne (from, to) {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', to]
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: from, encoding: 'utf8', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`npm pack failed in ${from}:\n${stderr}`)
  // An array, or since npm 12 an object by name.
  const [{ filename }] = /** @type {any[]} */ (Object.values(JSON.parse(stdout)))
  return path.join(to, filename)
}

/**
 * What is wrong with the tarballs; empty if nothing is.
 *
 * @param {{ main: string, platforms: string[] }} tarballs
 * @returns {string[]}
 */
function faults ({ main, platforms }) {
  const entries = list(main)
  const bytes = total(entries)
  const found = [
    ...entries.filter(({ name }) => !MAIN_FILES.test(name)).map(({ name }) => `${name} does not belong in the main package`),
    ...MAIN_NEEDS.filter((name) => !entries.some((entry) => entry.name === name)).map((name) => `${name} is missing from the main package`)
  ]
  if (bytes > MOST_MAIN_BYTES) found.push(`the main package has ${bytes} bytes, of at most ${MOST_MAIN_BYTES}`)
  return [...found, ...platforms.flatMap((tarball) => platformFaults(tarball, bytes))]
}

/**
 * @param {string} tarball
 * @param {number} mainBytes
 */
function platformFaults (tarball, mainBytes) {
  const title = path.basename(tarball)
  const entries = list(tarball)
  const binary = entries.find(({ name }) => name.endsWith('.node'))
  const expected = [...NOTICES, 'README.md', binary?.name ?? '(a binary)', 'package.json']
  const names = entries.map(({ name }) => name).sort()
  const found = []
  if (names.join() !== expected.sort().join()) found.push(`${title} has ${names.join(', ')}; expected ${expected.join(', ')}`)
  if (binary !== undefined && binary.bytes > MOST_BINARY_BYTES) {
    found.push(`${title} has a binary of ${binary.bytes} bytes, of at most ${MOST_BINARY_BYTES}: is it a release build (npm run build)?`)
  }
  const installed = mainBytes + total(entries)
  if (installed > MOST_INSTALLED_BYTES) found.push(`${title} and the main package have ${installed} bytes, of at most ${MOST_INSTALLED_BYTES}`)
  return found
}

/** @param {Entry[]} entries */
function total (entries) {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0)
}

/**
 * The files of a tarball of npm's, without the folder that it puts around them.
 *
 * @param {string} tarball
 * @returns {Entry[]}
 */
function list (tarball) {
  const tar = zlib.gunzipSync(fs.readFileSync(tarball))
  const entries = []
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const field = (from, length) => tar.toString('utf8', at + from, at + from + length).replace(/\0.*/s, '')
    const bytes = parseInt(field(124, 12), 8)
    const prefix = field(345, 155)
    const name = prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`
    if (field(156, 1) === '0' || field(156, 1) === '') entries.push({ name: name.replace(/^package\//, ''), bytes })
    at += 512 + Math.ceil(bytes / 512) * 512
  }
  return entries
}

/**
 * A folder of platform packages with this machine's alone, as the release would have it.
 *
 * @param {string} folder
 */
function stageThisPlatform (folder) {
  const binary = fs.readdirSync(ROOT).find((name) => /^hypertrace-prometheus\..+\.node$/.test(name))
  if (binary === undefined) throw new Error('There is no binary: npm run build')
  const name = binary.slice('hypertrace-prometheus.'.length, -'.node'.length)
  fs.cpSync(path.join(ROOT, 'npm', name), path.join(folder, name), { recursive: true })
  fs.copyFileSync(path.join(ROOT, binary), path.join(folder, name, binary))
  return folder
}

function main () {
  const folder = path.resolve(process.argv[2] ?? os.tmpdir())
  fs.mkdirSync(folder, { recursive: true })
  const tarballs = pack(folder)
  for (const tarball of [tarballs.main, ...tarballs.platforms]) {
    console.log(`${path.basename(tarball)}: ${fs.statSync(tarball).size} bytes, ${total(list(tarball))} unpacked`)
  }
  for (const fault of faults(tarballs)) {
    console.error(fault)
    process.exitCode = 1
  }
}

module.exports = { pack, faults, list, stageThisPlatform }

if (require.main === module) main()
