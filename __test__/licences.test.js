'use strict'

// Every crate that may become part of the binary has a licence that deny.toml allows (`cargo deny` says
// more; this needs nothing but cargo), and its text goes with the binary, in THIRD-PARTY-LICENSES.txt.

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

test('licences: each crate has one that is allowed', () => {
  const allowed = allowedLicences()
  const text = execFileSync('cargo', ['metadata', '--format-version=1', '--locked'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 27 })
  const { packages } = JSON.parse(text)
  assert.ok(packages.length > 20)
  for (const { name, license } of packages) {
    assert.ok(isAllowed(license ?? 'none', allowed), `${name}: ${license}`)
  }
})

test('licences: an expression is allowed if one of its choices is', () => {
  const allowed = new Set(['MIT', 'Unicode-3.0'])
  for (const licence of ['MIT', 'GPL-3.0 OR MIT', 'GPL-3.0/MIT', '(MIT OR GPL-3.0) AND Unicode-3.0', 'Apache-2.0 WITH LLVM-exception OR MIT']) {
    assert.ok(isAllowed(licence, allowed), licence)
  }
  for (const licence of ['GPL-3.0', 'MIT AND GPL-3.0', '(MIT OR Unicode-3.0) AND GPL-3.0', 'none']) {
    assert.ok(!isAllowed(licence, allowed), licence)
  }
})

test('licences: what goes with the binary is of the crates that are linked into it, each with its text', () => {
  const { page, missing, unused } = made
  assert.deepEqual(missing, [], 'crates without a text; see TEXTS_OF_REPOSITORIES in scripts/notices.js')
  assert.deepEqual(unused, [], 'texts in scripts/notices/ that nothing needs')
  const committed = fs.readFileSync(FILE, 'utf8').replaceAll('\r\n', '\n')
  assert.deepEqual(listed(committed), listed(page), 'stale: node scripts/notices.js')
  assert.ok(committed === page, 'a text has changed: node scripts/notices.js')
})

test('licences: every platform counts, and nothing that only tests or the build use', () => {
  const names = listed(made.page).map((line) => line.replace(/ \d.*|:.*/, ''))
  for (const name of ['napi', 'ring', 'procfs', 'windows-link', "Rust's standard library"]) assert.ok(names.includes(name), name)
  for (const name of ['hypertrace-prometheus', 'proptest', 'rcgen', 'napi-build', 'cc']) assert.ok(!names.includes(name), name)
})

test('licences: a text is there once, below the copyright lines of those that have it', (t) => {
  const first = crateWith(t, 'MIT', { LICENSE: `Copyright (c) 2001 A\n\n${MIT}` })
  const second = { ...crateWith(t, 'MIT', { 'LICENSE-MIT': `MIT License\r\n\r\nCopyright 2002 B\r\n\r\n${MIT.replace(', to', ',\r\nto')}\r\n` }), name: 'other' }
  const third = { ...first, name: 'third' }
  const { page, missing } = notices([first, second, third])
  assert.deepEqual(missing, [])
  const line = '-'.repeat(80)
  assert.ok(page.includes(`
some-crate 1.2.3, third 1.2.3
    Copyright (c) 2001 A

other 1.2.3
    MIT License
    Copyright 2002 B

${line}

${MIT}

`), page)
})

test('licences: a crate without the text of its licence is found', (t) => {
  for (const files of [{}, { COPYING: 'MIT or Apache-2.0' }, { 'LICENSE-ISC': ISC }, { 'src/mit.rs': MIT }, { 'license.rs': MIT }]) {
    assert.deepEqual(notices([crateWith(t, 'MIT OR Apache-2.0', files)]).missing, ['some-crate 1.2.3'], JSON.stringify(files))
  }
  assert.deepEqual(notices([crateWith(t, 'MIT AND ISC', { LICENSE: MIT })]).missing, ['some-crate 1.2.3'])
  assert.deepEqual(notices([crateWith(t, '', { LICENSE: MIT })]).missing, ['some-crate 1.2.3'])
})

test('licences: of a choice one is taken; notices, and all of a crate that gives no choice, stay', (t) => {
  const files = { 'LICENSE-MIT': MIT, 'LICENSE-APACHE': APACHE, NOTICE: 'By A.', 'third_party/LICENSE': ISC }
  const taken = (licence, have = files) => {
    const { page, missing } = notices([crateWith(t, licence, have)])
    assert.deepEqual(missing, [], licence)
    return [listed(page)[0], ...[...page.matchAll(/^some-crate 1\.2\.3 \((.*)\)$/gm)].map(([, name]) => name)]
  }
  assert.deepEqual(taken('Apache-2.0 OR MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-MIT', 'NOTICE'])
  assert.deepEqual(taken('Apache-2.0 WITH LLVM-exception OR Apache-2.0/MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-MIT', 'NOTICE'])
  assert.deepEqual(taken('(Apache-2.0 OR MIT) AND ISC'), ['some-crate 1.2.3: MIT, ISC', 'LICENSE-MIT', 'NOTICE', 'third_party/LICENSE'])
  assert.deepEqual(taken('MIT'), ['some-crate 1.2.3: MIT', 'LICENSE-APACHE', 'LICENSE-MIT', 'NOTICE', 'third_party/LICENSE'])
  assert.deepEqual(taken('Apache-2.0 OR MIT', { LICENSE: APACHE, NOTICE: 'By A.' }), ['some-crate 1.2.3: Apache-2.0', 'LICENSE', 'NOTICE'])
})

test('licences: terms at the head of a source file are there too', (t) => {
  const bsd = 'Redistribution and use in source and binary forms'
  const { page } = notices([crateWith(t, 'MIT OR Apache-2.0', {
    LICENSE: MIT,
    'src/queue.rs': `/* Copyright 2010 B. All rights reserved.\n * ${bsd}, with or\n * without modification.\n */\n\nfn queue() {}\n`,
    'src/first.c': `// Copyright 2011 C\n//\n// ${ISC}\n\n#include "a.h"\n`,
    'src/second.S': `# Copyright 2012 D\n#\n# ${ISC}\n.text\n`,
    'src/other.rs': '// Copyright 2013 E\n// Licensed as the rest.\n',
    'tests/all.rs': `// Copyright 2014 F\n// ${ISC}\n`
  })])
  assert.ok(page.includes('\nsome-crate 1.2.3 (src/queue.rs)\n    Copyright 2010 B. All rights reserved.\n\n'), page)
  assert.ok(page.includes(`\n\n${bsd}, with or\nwithout modification.\n\n`), page)
  assert.ok(page.includes('\nsome-crate 1.2.3 (2 source files)\n    Copyright 2011 C\n    Copyright 2012 D\n\n'), page)
  assert.ok(page.includes(`\n\n${ISC}\n\n`), page)
  assert.doesNotMatch(page, /2013|Copyright 2014|fn queue|#include/)
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
 * The sources of a crate that has these files.
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

/** @param {string} page */
function listed (page) {
  return page.split('\n\n')[1].split('\n')
}
