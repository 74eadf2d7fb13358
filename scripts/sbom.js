'use strict'

// Bills of materials in the format CycloneDX 1.6, one for each package that is published, beside its tarball.
// `scripts/pack.js` writes them, and the release attaches them to the version on GitHub.
//
// The bill of a platform's package lists the crates and the libraries of the live page that its binary contains, with the
// digests of the lock files. The bill of the main package, which contains the source, lists the crates of all platforms.
// cargo-cyclonedx is not used: it does not list the crates of one target as they are linked, and does not describe packages
// of npm.

const { execFileSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { libraries, linked } = require('./notices')

const ROOT = path.dirname(__dirname)

/**
 * @typedef {{ name: string, version: string, description?: string, license?: string, homepage?: string }} Manifest
 * @typedef {{ id: string, name: string, version: string, source: string | null, license?: string | null, description?: string | null }} Crate
 * @typedef {{ 'bom-ref': string, type: string, name: string, version: string, purl: string, [key: string]: unknown }} Component
 */

/**
 * The bill of a package.
 *
 * @param {Manifest} manifest
 * @param {Buffer} tarball
 * @param {string[]} targets those whose crates the package has
 */
function sbom (manifest, tarball, targets) {
  const { components, edges } = crates(targets)
  const vendored = libraries().map((library) => npmComponent(library))
  components.push(...vendored)
  edges.set('', [...edges.get('') ?? [], ...vendored.map(({ 'bom-ref': ref }) => ref)])
  const digest = createHash('sha256').update(tarball).digest('hex')
  const root = component(npmUrl(manifest.name, manifest.version), manifest)
  const main = {
    ...root,
    hashes: [{ alg: 'SHA-256', content: digest }],
    externalReferences: manifest.homepage === undefined ? [] : [{ type: 'website', url: manifest.homepage }]
  }
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuid(digest)}`,
    version: 1,
    metadata: { component: main },
    components,
    dependencies: [{ ref: main['bom-ref'], dependsOn: edges.get('') ?? [] },
      ...components.map(({ 'bom-ref': ref }) => ({ ref, dependsOn: edges.get(ref) ?? [] }))]
  }
}

/**
 * Returns the crates that are linked into the binaries of targets, and the edges between them: for the reference of
 * each crate, the references of the crates that it depends on. The addon has the reference ''.
 *
 * @param {string[]} targets
 */
function crates (targets) {
  const options = ['--locked', ...targets.flatMap((target) => ['--filter-platform', target]), '--format-version=1']
  /** @type {{ packages: Crate[], resolve: { root: string, nodes: { id: string, deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }[] } }} */
  const { packages, resolve } = JSON.parse(cargo('metadata', ...options))
  const byId = new Map(packages.map((crate) => [crate.id, crate]))
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  // The metadata also has crates that only features of the tests require.
  const names = new Set(linked(targets).map(({ name, version }) => `${name} ${version}`))
  /** @param {string} id */
  const isLinked = (id) => names.has(`${byId.get(id)?.name} ${byId.get(id)?.version}`)
  /** @param {string} id */
  const dependencies = (id) => (nodes.get(id)?.deps ?? [])
    .filter(({ pkg, dep_kinds: kinds }) => isLinked(pkg) && kinds.some(({ kind }) => kind === null)).map(({ pkg }) => pkg)
  const digests = lockedDigests()

  const edges = new Map()
  /** @type {Map<string, Component>} */
  const components = new Map()
  const ids = [resolve.root]
  for (const id of ids) {
    const crate = byId.get(id)
    if (crate === undefined) throw new Error(`cargo names no package ${id}`)
    const ref = cargoUrl(crate)
    const next = dependencies(id)
    edges.set(id === resolve.root ? '' : ref, next.map((other) => cargoUrl(/** @type {Crate} */ (byId.get(other)))).sort())
    if (id !== resolve.root) {
      const digest = digests.get(`${crate.name} ${crate.version}`)
      const hashes = digest === undefined ? {} : { hashes: [{ alg: 'SHA-256', content: digest }] }
      components.set(ref, { ...component(ref, crate), scope: 'required', ...hashes })
    }
    ids.push(...next.filter((other) => !ids.includes(other)))
  }
  return { components: [...components.values()].sort((a, b) => a['bom-ref'] < b['bom-ref'] ? -1 : 1), edges }
}

/**
 * A library whose files the live page has.
 *
 * @param {{ name: string, version: string, licence: string }} library
 * @returns {Component}
 */
function npmComponent ({ name, version, licence }) {
  /** @type {Record<string, { integrity: string }>} */
  const packages = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).packages
  const { integrity } = packages[`node_modules/${name}`]
  const content = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
  return { ...component(npmUrl(name, version), { name, version, license: licence }), scope: 'required', hashes: [{ alg: 'SHA-512', content }] }
}

/**
 * @param {string} url
 * @param {{ name: string, version: string, license?: string | null, description?: string | null }} of
 * @returns {Component}
 */
function component (url, { name, version, license, description }) {
  return {
    'bom-ref': url,
    type: 'library',
    name,
    version,
    ...(description ? { description: description.trim() } : {}),
    // A slash is an old form of OR.
    ...(license ? { licenses: [{ expression: license.replace(/\s*\/\s*/g, ' OR ') }] } : {}),
    purl: url
  }
}

/** @returns {Map<string, string>} the digest of each crate, by name and version */
function lockedDigests () {
  const text = fs.readFileSync(path.join(ROOT, 'Cargo.lock'), 'utf8')
  const entries = text.matchAll(/^name = "(.*)"\nversion = "(.*)"\nsource = .*\nchecksum = "(.*)"$/gm)
  return new Map([...entries].map(([, name, version, digest]) => [`${name} ${version}`, digest]))
}

/** @param {Crate} crate */
function cargoUrl ({ name, version }) {
  return `pkg:cargo/${name}@${version.replace('+', '%2B')}`
}

/**
 * @param {string} name
 * @param {string} version
 */
function npmUrl (name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

/**
 * A UUID that depends on the tarball only, so that the bill can be reproduced.
 *
 * @param {string} digest
 */
function uuid (digest) {
  const variant = ((parseInt(digest[16], 16) & 3) | 8).toString(16)
  return [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`, variant + digest.slice(17, 20), digest.slice(20, 32)].join('-')
}

/** @param {string[]} args */
function cargo (...args) {
  return execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 27 })
}

/**
 * Writes the bill of a tarball beside it, and returns the file.
 *
 * @param {string} tarball
 */
function writeSbom (tarball) {
  const manifest = JSON.parse(execFileSync('tar', ['-xzOf', path.basename(tarball), 'package/package.json'], { cwd: path.dirname(tarball), encoding: 'utf8' }))
  const { name, napi } = require('../package.json')
  const targets = manifest.name === name ? napi.targets : [targetOf(manifest.name.slice(name.length + 1), napi.targets)]
  const file = tarball.replace(/\.tgz$/, '.cdx.json')
  fs.writeFileSync(file, JSON.stringify(sbom(manifest, fs.readFileSync(tarball), targets), null, 2) + '\n')
  return file
}

/**
 * The target of a platform's package.
 *
 * @param {string} suffix as `linux-x64-gnu`
 * @param {string[]} targets
 */
function targetOf (suffix, targets) {
  const [system, processor, library] = suffix.split('-')
  const target = targets.find((name) => {
    return name.startsWith(`${{ x64: 'x86_64', arm64: 'aarch64' }[processor]}-`) &&
      name.includes({ darwin: 'apple-darwin', win32: 'windows' }[system] ?? system) && name.endsWith(library ?? 'darwin')
  })
  if (target === undefined) throw new Error(`No target of package.json is that of ${suffix}`)
  return target
}

module.exports = { targetOf, writeSbom }
