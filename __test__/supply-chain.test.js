'use strict'

// Checks that the bills of materials are valid and complete, and that the binary contains no path of the machine that built it.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { FILE: NOTICES } = require('../scripts/notices')
const { targetOf, writeSbom } = require('../scripts/sbom')
const { packThisPlatform } = require('./support/packed')
const { lacks } = require('./support/tools')

const ROOT = path.join(__dirname, '..')
const { name: NAME, napi } = require('../package.json')
const VALIDATE = `
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for file in sys.argv[1:]:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(file).read())
    if error: sys.exit(f"{file}: {error}")
`

/** @type {ReturnType<typeof packThisPlatform>} */
let packed
let files = []

before(() => {
  packed = packThisPlatform()
  files = [packed.tarballs.main, ...packed.tarballs.platforms].map(({ file }) => writeSbom(file))
})
after(() => packed?.remove())

test('supply chain: the bill of each package is valid CycloneDX', { skip: lacks('cyclonedx') }, () => {
  assert.equal(files.length, 2)
  const validate = (/** @type {string[]} */ ...names) => spawnSync('python3', ['-c', VALIDATE, ...names], { encoding: 'utf8' })
  const { status, stderr } = validate(...files)
  assert.equal(status, 0, stderr)

  const broken = path.join(packed.folder, 'broken.cdx.json')
  fs.writeFileSync(broken, fs.readFileSync(files[0], 'utf8').replaceAll('"SHA-256"', '"SHA-3"'))
  assert.notEqual(validate(broken).status, 0)
})

test('supply chain: a bill names the crates whose licences are published, with digests and edges', () => {
  const crates = fs.readFileSync(NOTICES, 'utf8').split('\n\n')[1].split('\n').slice(0, -1).map((line) => line.split(':')[0]).sort()
  const [main, platform] = files.map((file) => JSON.parse(fs.readFileSync(file, 'utf8')))
  assert.equal(main.metadata.component.name, NAME)
  assert.deepEqual(titles(main), crates)
  assert.ok(titles(platform).length > 50)
  assert.deepEqual(titles(platform).filter((title) => !crates.includes(title)), [])

  const tarballs = [packed.tarballs.main, ...packed.tarballs.platforms]
  for (const [index, { metadata, components, dependencies }] of [main, platform].entries()) {
    const digest = createHash('sha256').update(fs.readFileSync(tarballs[index].file)).digest('hex')
    assert.deepEqual(metadata.component.hashes, [{ alg: 'SHA-256', content: digest }])
    for (const { hashes, licenses, purl } of components) {
      assert.match(hashes[0].content, hashes[0].alg === 'SHA-256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{128}$/)
      assert.notEqual(licenses[0].expression, '')
      assert.match(purl, /^pkg:(cargo|npm)\/[\w%/-]+@[\w.%+-]+$/)
    }
    const reached = new Set([dependencies[0].ref])
    for (const ref of reached) for (const next of dependencies.find((entry) => entry.ref === ref).dependsOn) reached.add(next)
    assert.equal(reached.size, components.length + 1, 'each crate is a dependency of the addon or of a crate')
  }
})

test('supply chain: each platform has the target of its binary', () => {
  const suffixes = fs.readdirSync(path.join(ROOT, 'npm'))
  assert.deepEqual(suffixes.map((suffix) => targetOf(suffix, napi.targets)).sort(), [...napi.targets].sort())
  assert.throws(() => targetOf('linux-ia32-gnu', napi.targets), /No target/)
})

test('supply chain: the binary contains no path of this machine', (t) => {
  const [name] = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node'))
  const binary = fs.readFileSync(path.join(ROOT, name))
  if (binary.length > 2 * 3_100_000) return t.skip('this is a debug build')
  assert.ok(binary.includes('/rustc/'), 'positions of panics are in the binary')
  for (const folder of [ROOT, os.homedir(), process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo')]) {
    assert.equal(binary.includes(folder + path.sep), false, folder)
  }
})

const titles = (bill) => bill.components.map(({ name, version }) => `${name} ${version}`).sort()
