'use strict'

// The steps of a release that follow the builds. The workflow release.yml runs them, and `npm run rehearsal` runs
// the same steps with a registry on this machine.
//
//   node scripts/release.js test                           runs the tests that do not need Rust
//   node scripts/release.js prepare <artifacts> <tarballs>  packs all packages, with the binaries in a folder
//   node scripts/release.js publish <tarballs> [options of npm publish]
//
// `prepare` changes package.json and npm/.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { faults, pack } = require('./pack')
const { writeSbom } = require('./sbom')

const ROOT = path.dirname(__dirname)

/** The tests of a release on each platform. One installs the packed packages and runs the README's application. */
const TESTS = ['behaviour.test.js', 'differential.test.js', 'default-metrics.test.js', 'register.test.js', 'hypercore.test.js', 'runtimes.test.js']

/** @type {Record<string, (args: string[]) => void>} */
const STEPS = {
  test: () => run(process.execPath, ['--test', ...TESTS.filter(canRun).map((file) => `__test__/${file}`)]),
  prepare: ([artifacts, folder]) => prepare(artifacts, folder),
  publish: ([folder, ...options]) => publish(folder, options)
}

/**
 * Returns whether a test can run here: hypercore has no addons for musl.
 *
 * @param {string} file
 */
function canRun (file) {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  const isMusl = process.platform === 'linux' && header.glibcVersionRuntime === undefined
  return !(isMusl && file === 'hypercore.test.js')
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} [cwd]
 */
function run (command, args, cwd = ROOT) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' && command !== process.execPath })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
}

/** Returns package.json as it is now. */
function manifest () {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
}

/**
 * @param {string} artifacts
 * @param {string} folder
 */
function prepare (artifacts, folder) {
  const { version, napi } = manifest()
  const { GITHUB_REF_NAME: tag, GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env
  if (tag !== undefined && tag !== `v${version}`) throw new Error(`The tag ${tag} is not the version ${version}`)
  const cli = path.join(ROOT, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js')
  run(process.execPath, [cli, 'artifacts', '--output-dir', artifacts, '--npm-dir', 'npm'])
  if (repository !== undefined) {
    // npm compares the repository of a package with its provenance.
    for (const name of ['.', ...fs.readdirSync(path.join(ROOT, 'npm')).map((name) => path.join('npm', name))]) {
      run('npm', ['pkg', 'set', 'repository.type=git', `repository.url=git+${server}/${repository}.git`], path.join(ROOT, name))
    }
  }
  run(process.execPath, [cli, 'pre-publish', '--npm-dir', 'npm', '--tag-style', 'npm', '--no-gh-release', '--skip-optional-publish'])
  fs.mkdirSync(folder, { recursive: true })
  const tarballs = pack(path.resolve(folder))
  for (const { file, unpackedSize } of [tarballs.main, ...tarballs.platforms]) {
    writeSbom(file)
    console.log(`${path.basename(file)}: ${fs.statSync(file).size} bytes, ${unpackedSize} unpacked`)
  }
  const found = faults(tarballs)
  if (tarballs.platforms.length !== napi.targets.length) found.push(`${tarballs.platforms.length} platforms have a package; expected ${napi.targets.length}`)
  const listed = Object.keys(manifest().optionalDependencies ?? {})
  if (listed.length !== napi.targets.length) found.push(`the main package names ${listed.length} packages of platforms`)
  // The compilers of a rehearsal remove fewer symbols than those of a release.
  const isLarge = (/** @type {string} */ fault) => process.env.REHEARSAL !== undefined && /\bbytes; the limit is\b/.test(fault)
  for (const fault of found.filter(isLarge)) console.log(`${fault} (not checked in a rehearsal)`)
  const errors = found.filter((fault) => !isLarge(fault))
  if (errors.length > 0) throw new Error(errors.join('\n'))
}

/**
 * Publishes the packages of the platforms, then the main package, so that no installation finds the main package
 * without the others.
 *
 * @param {string} folder
 * @param {string[]} options
 */
function publish (folder, options) {
  const { name, version } = manifest()
  const main = `${name}-${version}.tgz`
  const others = fs.readdirSync(folder).filter((file) => file.endsWith('.tgz') && file !== main).sort()
  const tag = version.includes('-') ? 'next' : 'latest'
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'release-'))
  try {
    const access = accessOptions(scratch, options)
    for (const file of [...others, main]) {
      run('npm', ['publish', path.resolve(folder, file), '--access', 'public', '--tag', tag, ...access, ...options])
    }
  } finally {
    fs.rmSync(scratch, { recursive: true })
  }
}

/**
 * Writes the token in NODE_AUTH_TOKEN to a file that npm reads. Without a token, npm asks the trusted publisher.
 *
 * @param {string} scratch
 * @param {string[]} options
 */
function accessOptions (scratch, options) {
  if (!process.env.NODE_AUTH_TOKEN) return []
  const given = options.find((option) => option.startsWith('--registry='))?.slice('--registry='.length)
  const registry = given ?? spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim()
  const file = path.join(scratch, 'npmrc')
  fs.writeFileSync(file, `//${new URL('.', `${registry.replace(/\/*$/, '')}/`).href.replace(/^https?:\/\//, '')}:_authToken=\${NODE_AUTH_TOKEN}\n`)
  return [`--userconfig=${file}`]
}

module.exports = { TESTS }

if (require.main === module) {
  const [step, ...args] = process.argv.slice(2)
  if (!(step in STEPS)) {
    console.error(`Usage: node scripts/release.js ${Object.keys(STEPS).join(' | ')}`)
    process.exitCode = 1
  } else {
    STEPS[step](args)
  }
}
