'use strict'

// Checks that each dependency has a licence that deny.toml allows (`cargo deny` checks more, but this test needs only cargo),
// and that THIRD-PARTY-LICENSES.txt has the licence text of each crate that is linked into the binary.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { before, test } = require('node:test')
const { FILE, alternatives, notices } = require('../scripts/notices')

const ROOT = path.join(__dirname, '..')
const MIT = 'Permission is hereby granted, free of charge, to any person obtaining a copy of this software'
const ISC = 'Permission to use, copy, modify, and/or distribute this software for any purpose'
const APACHE = 'TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION\n\n 5. Submission of Contributions.'

/** @type {ReturnType<typeof notices>} */
let made

before(() => { made = notices() })

test('licences: each crate has an allowed licence', () => {
  const allowed = allowedLicences()
  const metadata = execFileSync('cargo', ['metadata', '--format-version=1', '--locked'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 27 })
  const { packages } = JSON.parse(metadata)
  assert.ok(packages.length > 20)
  for (const { name, license } of packages) {
    assert.ok(isAllowed(license ?? 'none', allowed), `${name}: ${license}`)
  }
})

test('licences: an expression is allowed if one of its alternatives is allowed', () => {
  const allowed = new Set(['MIT', 'Unicode-3.0'])
  for (const licence of ['MIT', 'GPL-3.0 OR MIT', 'GPL-3.0/MIT', '(MIT OR GPL-3.0) AND Unicode-3.0', 'Apache-2.0 WITH LLVM-exception OR MIT']) {
    assert.ok(isAllowed(licence, allowed), licence)
  }
  for (const licence of ['GPL-3.0', 'MIT AND GPL-3.0', '(MIT OR Unicode-3.0) AND GPL-3.0', 'none']) {
    assert.ok(!isAllowed(licence, allowed), licence)
  }
})

test('licences: the published file has the text of each linked crate, and no other', () => {
  const { text, missing, unused } = made
  assert.deepEqual(missing, [], 'crates without a text: add it to TEXTS_OF_REPOSITORIES in scripts/notices.js')
  assert.deepEqual(unused, [], 'files in scripts/notices/ that no crate needs')
  const committed = fs.readFileSync(FILE, 'utf8').replaceAll('\r\n', '\n')
  assert.deepEqual(listed(committed), listed(text), 'stale: run node scripts/notices.js')
  assert.ok(committed === text, 'a text has changed: run node scripts/notices.js')
})

test('licences: the crates of every platform are listed, and the crates of tests and of the build are not', () => {
  const names = listed(made.text).map((line) => line.replace(/ \d.*|:.*/, ''))
  for (const name of ['napi', 'ring', 'rustix', 'windows-link', "Rust's standard library"]) assert.ok(names.includes(name), name)
  for (const name of ['hypertrace-prometheus', 'proptest', 'rcgen', 'napi-build', 'cc']) assert.ok(!names.includes(name), name)
})

test('licences: the files in src/live/vendor/ are those of the packages, and their licences are listed', () => {
  const files = {
    'dagre.js': '@dagrejs/dagre/dist/dagre.min.js',
    'uplot.css': 'uplot/dist/uPlot.min.css',
    'uplot.js': 'uplot/dist/uPlot.iife.min.js'
  }
  const folder = path.join(ROOT, 'src', 'live', 'vendor')
  assert.deepEqual(fs.readdirSync(folder).sort(), Object.keys(files))
  for (const [name, original] of Object.entries(files)) {
    const vendored = fs.readFileSync(path.join(folder, name), 'utf8')
    assert.ok(vendored === fs.readFileSync(path.join(ROOT, 'node_modules', original), 'utf8'), `${name} differs: copy node_modules/${original}`)
  }
  const names = listed(made.text).map((line) => line.replace(/ \d.*|:.*/, ''))
  for (const name of ['@dagrejs/dagre', '@dagrejs/graphlib', 'uplot']) assert.ok(names.includes(name), name)
})

test('licences: a text occurs once, below the copyright lines of all crates that have it', (t) => {
  const first = crateWith(t, 'MIT', { LICENSE: `Copyright (c) 2001 A\n\n${MIT}` })
  const second = { ...crateWith(t, 'MIT', { 'LICENSE-MIT': `MIT License\r\n\r\nCopyright 2002 B\r\n\r\n${MIT.replace(', to', ',\r\nto')}\r\n` }), name: 'other' }
  const third = { ...first, name: 'third' }
  const { text, missing } = notices([first, second, third])
  assert.deepEqual(missing, [])
  const line = '-'.repeat(80)
  assert.ok(text.includes(`
some-crate 1.2.3, third 1.2.3
    Copyright (c) 2001 A

other 1.2.3
    MIT License
    Copyright 2002 B

${line}

${MIT}

`), text)
})

test('licences: a crate without its licence text is found', (t) => {
  for (const files of [{}, { COPYING: 'MIT or Apache-2.0' }, { 'LICENSE-ISC': ISC }, { 'src/mit.rs': MIT }, { 'license.rs': MIT }]) {
    assert.deepEqual(notices([crateWith(t, 'MIT OR Apache-2.0', files)]).missing, ['some-crate 1.2.3'], JSON.stringify(files))
  }
  assert.deepEqual(notices([crateWith(t, 'MIT AND ISC', { LICENSE: MIT })]).missing, ['some-crate 1.2.3'])
  assert.deepEqual(notices([crateWith(t, '', { LICENSE: MIT })]).missing, ['some-crate 1.2.3'])
})

test('licences: of a choice of licences one is used; without a choice all texts are included; notices are always included', (t) => {
  const files = { 'LICENSE-MIT': MIT, 'LICENSE-APACHE': APACHE, NOTICE: 'By A.', 'third_party/LICENSE': ISC }
  const used = (licence, have = files) => {
    const { text, missing } = notices([crateWith(t, licence, have)])
    assert.deepEqual(missing, [], licence)
    return [listed(text)[0], ...[...text.matchAll(/^some-crate 1\.2\.3 \((.*)\)$/gm)].map(([, name]) => name)]
  }
  assert.deepEqual(used('Apache-2.0 OR MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-MIT', 'NOTICE'])
  assert.deepEqual(used('Apache-2.0 WITH LLVM-exception OR Apache-2.0/MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-MIT', 'NOTICE'])
  assert.deepEqual(used('(Apache-2.0 OR MIT) AND ISC'), ['some-crate 1.2.3: MIT, ISC', 'LICENSE-MIT', 'NOTICE', 'third_party/LICENSE'])
  assert.deepEqual(used('MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-APACHE', 'LICENSE-MIT', 'NOTICE', 'third_party/LICENSE'])
  assert.deepEqual(used('Apache-2.0 OR MIT', { LICENSE: APACHE, NOTICE: 'By A.' }), ['some-crate 1.2.3: Apache-2.0', 'LICENSE', 'NOTICE'])
})

test('licences: terms in the head comment of a source file are included', (t) => {
  const bsd = 'Redistribution and use in source and binary forms'
  const { text } = notices([crateWith(t, 'MIT OR Apache-2.0', {
    LICENSE: MIT,
    'src/queue.rs': `/* Copyright 2010 B. All rights reserved.\n * ${bsd}, with or\n * without modification.\n */\n\nfn queue() {}\n`,
    'src/first.c': `// Copyright 2011 C\n//\n// ${ISC}\n\n#include "a.h"\n`,
    'src/second.S': `# Copyright 2012 D\n#\n# ${ISC}\n.text\n`,
    'src/other.rs': '// Copyright 2013 E\n// Licensed as the rest.\n',
    'tests/all.rs': `// Copyright 2014 F\n// ${ISC}\n`
  })])
  assert.ok(text.includes('\nsome-crate 1.2.3 (src/queue.rs)\n    Copyright 2010 B. All rights reserved.\n\n'), text)
  assert.ok(text.includes(`\n\n${bsd}, with or\nwithout modification.\n\n`), text)
  assert.ok(text.includes('\nsome-crate 1.2.3 (2 source files)\n    Copyright 2011 C\n    Copyright 2012 D\n\n'), text)
  assert.ok(text.includes(`\n\n${ISC}\n\n`), text)
  assert.doesNotMatch(text, /2013|Copyright 2014|fn queue|#include/)
})

function allowedLicences () {
  const [, list] = /^allow = \[(.*)\]$/m.exec(fs.readFileSync(path.join(ROOT, 'deny.toml'), 'utf8')) ?? []
  assert.notEqual(list, undefined)
  return new Set([...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name))
}

/**
 * @param {string} expression
 * @param {Set<string>} allowed
 */
function isAllowed (expression, allowed) {
  return alternatives(expression).some((licences) => licences.every((licence) => allowed.has(licence)))
}

/**
 * Creates a crate with these files.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} licence
 * @param {Record<string, string>} files
 */
function crateWith (t, licence, files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'crate-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), text)
  }
  return { name: 'some-crate', version: '1.2.3', licence, repository: '', folder }
}

/** @param {string} text */
function listed (text) {
  return text.split('\n\n')[1].split('\n')
}
