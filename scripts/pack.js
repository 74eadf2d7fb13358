'use strict'

// Packs what is published: a platform package for each binary in npm/<platform>/, and the main package, which has these
// binaries as prebuilds for Bare. `node scripts/pack.js <folder>` writes the tarballs there and checks them: each contains
// the expected files only, and is small. The release and a test use this script.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { builtPlatforms, hostOf, prebuildOf } = require('./prebuilds')
const { writeSbom } = require('./sbom')

const ROOT = path.dirname(__dirname)
const MB = 1_000_000
const MAX_BINARY_BYTES = 3.2 * MB
/** The limit for the main package without its prebuilds, and the package of one platform, together. */
const MAX_INSTALLED_BYTES = 5 * MB
const MAX_MAIN_BYTES = 1.8 * MB

const NOTICES = ['LICENSE', 'NOTICE', 'THIRD-PARTY-LICENSES.txt']
const MAIN_FILES = /^(package\.json|index\.js|index\.d\.ts|prebuilds\/(linux|darwin|win32)-(x64|arm64)\/hypertrace-prometheus\.node|(bin|lib)\/([\w-]+\/)*[\w-]+\.js|src\/([\w-]+\/)*[\w-]+\.(rs|css|html|js|mjs|svg)|Cargo\.(toml|lock)|build\.rs|docs\/[\w.-]+\.md|grafana\/(README\.md|dashboard\.json)|prometheus\/[\w.]+\.yml|LICENSE|NOTICE|THIRD-PARTY-LICENSES\.txt|README\.md|CHANGELOG\.md)$/
const MAIN_REQUIRED = ['package.json', 'index.js', 'index.d.ts', 'lib/node.js', 'lib/bare.js', 'lib/load-binding.js', 'src/lib.rs', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'bin/hypertrace-prometheus.js', 'lib/build-addon.js', 'lib/top/index.js', 'docs/http-interface.md', 'grafana/dashboard.json', 'prometheus/alerts.rules.yml', 'prometheus/prometheus.yml', 'prometheus/recording.rules.yml', ...NOTICES, 'README.md', 'CHANGELOG.md']

/**
 * @typedef {{ file: string, files: { path: string, size: number }[], unpackedSize: number }} Tarball
 * @typedef {{ main: Tarball, platforms: Tarball[] }} Tarballs
 */

/**
 * @param {string} folder of the tarballs
 * @param {string} [platforms] folder of the platform packages
 * @returns {Tarballs}
 */
function pack (folder, platforms = path.join(ROOT, 'npm')) {
  const binaries = fs.readdirSync(platforms)
    .map((name) => ({ name, binary: path.join(platforms, name, `hypertrace-prometheus.${name}.node`) }))
    .filter(({ binary }) => fs.existsSync(binary))
  return {
    main: packMain(binaries, folder),
    platforms: binaries.map(({ name }) => packPlatform(path.join(platforms, name), folder))
  }
}

/**
 * Packs the main package, with the prebuilds of Bare and the notices that the licences of their crates require.
 *
 * @param {{ name: string, binary: string }[]} binaries
 * @param {string} to
 */
function packMain (binaries, to) {
  const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  const names = manifest.files.filter((/** @type {string} */ name) => !name.startsWith('!')).map((/** @type {string} */ name) => name.split('/')[0])
  return staged(to, (folder) => {
    for (const name of new Set(['package.json', ...names])) {
      if (name !== 'prebuilds') fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
    }
    for (const { name, binary } of binaries) {
      const host = hostOf(name)
      if (host === undefined) continue
      const prebuild = prebuildOf(folder, host)
      fs.mkdirSync(path.dirname(prebuild), { recursive: true })
      fs.copyFileSync(binary, prebuild)
    }
  })
}

/**
 * Packs a platform package, with the notices that the licences of the linked crates require beside the binary.
 *
 * @param {string} from
 * @param {string} to
 */
function packPlatform (from, to) {
  return staged(to, (folder) => {
    fs.cpSync(from, folder, { recursive: true })
    for (const name of NOTICES) fs.copyFileSync(path.join(ROOT, name), path.join(folder, name))
    const manifest = path.join(folder, 'package.json')
    const { files, ...rest } = JSON.parse(fs.readFileSync(manifest, 'utf8'))
    fs.writeFileSync(manifest, JSON.stringify({ ...rest, files: [...files, ...NOTICES] }, null, 2) + '\n')
  })
}

/**
 * Packs a package that is put together in a folder of its own.
 *
 * @param {string} to
 * @param {(folder: string) => void} fill
 */
function staged (to, fill) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'package-'))
  try {
    fill(folder)
    return packOne(folder, to)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @returns {Tarball}
 */
function packOne (from, to) {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', to]
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: from, encoding: 'utf8', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`npm pack failed in ${from}:\n${stderr}`)
  // npm 12 and newer print an object by package name, older versions an array.
  const [{ filename, files, unpackedSize }] = /** @type {any[]} */ (Object.values(JSON.parse(stdout)))
  return { file: path.join(to, filename), files, unpackedSize }
}

/**
 * Returns the faults of the tarballs.
 *
 * @param {Tarballs} tarballs
 * @returns {string[]}
 */
function faults ({ main, platforms }) {
  const names = main.files.map((file) => file.path)
  const found = [
    ...names.filter((name) => !MAIN_FILES.test(name)).map((name) => `${name} does not belong in the main package`),
    ...MAIN_REQUIRED.filter((name) => !names.includes(name)).map((name) => `${name} is missing from the main package`)
  ]
  const prebuilds = main.files.filter(isPrebuild)
  const mainBytes = prebuilds.reduce((bytes, { size }) => bytes - size, main.unpackedSize)
  if (mainBytes > MAX_MAIN_BYTES) found.push(`the main package without its prebuilds has ${mainBytes} bytes; the limit is ${MAX_MAIN_BYTES}`)
  for (const platform of platforms) {
    const binary = platform.files.find(isBinary)
    const host = hostOf(binary?.path.split('.')[1] ?? '')
    if (binary === undefined || host === undefined) continue
    const size = prebuilds.find((prebuild) => prebuild.path.includes(`/${host}/`))?.size
    if (size !== binary.size) found.push(`the prebuild of ${host} has ${size ?? 'no'} bytes, but ${binary.path} has ${binary.size}`)
  }
  return [...found, ...platforms.flatMap((tarball) => platformFaults(tarball, mainBytes))]
}

/** @param {{ path: string }} file */
function isBinary ({ path }) {
  return path.endsWith('.node')
}

/** @param {{ path: string }} file */
function isPrebuild ({ path }) {
  return path.startsWith('prebuilds/')
}

/**
 * @param {Tarball} tarball
 * @param {number} mainBytes
 */
function platformFaults ({ file, files, unpackedSize }, mainBytes) {
  const title = path.basename(file)
  const binary = files.find(isBinary)
  const expected = [...NOTICES, 'README.md', binary?.path ?? '(a binary)', 'package.json']
  const names = files.map((entry) => entry.path).sort()
  const found = []
  if (names.join() !== expected.sort().join()) found.push(`${title} has ${names.join(', ')}; expected ${expected.join(', ')}`)
  if (binary !== undefined && binary.size > MAX_BINARY_BYTES) {
    found.push(`${title} has a binary of ${binary.size} bytes; the limit is ${MAX_BINARY_BYTES}. Is it a release build (npm run build)?`)
  }
  const installed = mainBytes + unpackedSize
  if (installed > MAX_INSTALLED_BYTES) found.push(`${title} and the main package have ${installed} bytes; the limit is ${MAX_INSTALLED_BYTES}`)
  return found
}

/**
 * Copies the platform package of this machine and its binary to a folder, which then has the layout of a release.
 *
 * @param {string} folder
 */
function stageThisPlatform (folder) {
  const [name] = builtPlatforms()
  if (name === undefined) throw new Error('There is no binary. Run npm run build')
  const binary = `hypertrace-prometheus.${name}.node`
  fs.cpSync(path.join(ROOT, 'npm', name), path.join(folder, name), { recursive: true })
  fs.copyFileSync(path.join(ROOT, binary), path.join(folder, name, binary))
  return folder
}

function main () {
  const folder = path.resolve(process.argv[2] ?? os.tmpdir())
  fs.mkdirSync(folder, { recursive: true })
  const tarballs = pack(folder)
  for (const { file, unpackedSize } of [tarballs.main, ...tarballs.platforms]) {
    writeSbom(file)
    console.log(`${path.basename(file)}: ${fs.statSync(file).size} bytes, ${unpackedSize} unpacked`)
  }
  for (const fault of faults(tarballs)) {
    console.error(fault)
    process.exitCode = 1
  }
}

module.exports = { pack, faults, stageThisPlatform }

if (require.main === module) main()
