'use strict'

// Writes THIRD-PARTY-LICENSES.txt, which is published beside each binary: the licences, with their copyright
// lines, of all crates that are linked into the binary, and of the JavaScript libraries of the live page, which
// the binary contains too. A test fails if the file is stale.
//
// cargo lists the linked crates: the normal dependencies for the targets of package.json, with their features.
// Procedural macros count, because their output is compiled into the binary. The texts come from the licence
// files of the crates, and from the head comments of source files that were copied from other projects.
//
// cargo-about is not used: it names crates that no target has, writes a text without a copyright line for a
// crate without a text, and misses some head comments. This script needs only cargo, so that a test can run it.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const FILE = path.join(ROOT, 'THIRD-PARTY-LICENSES.txt')
const TARGETS = require('../package.json').napi.targets

// Each licence and a pattern in its text. If a crate offers a choice, the first licence of this list is used.
/** @type {Record<string, RegExp>} */
const LICENCES = {
  MIT: /Permission is hereby granted, free of charge, to any person obtaining a copy of this software/i,
  ISC: /Permission to use, copy, modify, and(\/or)? distribute this software/i,
  Zlib: /This software is provided 'as-is', without any express or implied warranty/i,
  'BSD-3-Clause': /Redistributions in binary form must reproduce .* Neither the name of/i,
  'Unicode-3.0': /UNICODE LICENSE V3/i,
  'Apache-2.0': /TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION .* Submission of Contributions/i
}
// Patterns for the names of licence files and of source files, for the head comment of a source file, and for the comment
// marks and the terms in this comment.
const NAMES = /^((un)?licen[cs]e|copying|copyright|notice)s?([-_.].*)?(?<!\.rs)$/i
const SOURCES = /^(?!(tests|benches|examples)\/).*\.(rs|c|h|inl|S|asm|pl)$/
const COMMENT = /^(#!.*\n)?\s*(\/\*[^]*?\*\/|([^\S\n]*(\/\/|#(?=\s)|;).*\n)+)/
const MARKS = /^#!.*\n|^[^\S\n]*(\/\/[/!]?|\/?\*+\/?|#|;+)[^\S\n]?|[^\S\n]*\*+\/$/gm
const TERMS = /Permission (is hereby granted|to use, copy)|Redistributions? (and use )?in (source|binary)/
const TEXTS = path.join(__dirname, 'notices')

// Crates without a licence text in their package: the text in their repository.
/** @type {Record<string, string>} */
const TEXTS_OF_REPOSITORIES = { 'https://github.com/napi-rs/napi-rs': 'napi-rs.txt' }

// cargo does not list the standard library; share/doc/rust/COPYRIGHT-library.html of the toolchain does. The
// crates that it links offer a choice: under Apache-2.0 the text of that licence is sufficient.
const RUST = {
  title: "Rust's standard library",
  licences: 'MIT, Unicode-3.0; the crates in it: Apache-2.0, as in the file LICENSE',
  files: ['rust.txt', 'unicode.txt']
}

// The packages whose files are in src/live/vendor/. dagre's file contains graphlib.
const LIBRARIES = ['@dagrejs/dagre', '@dagrejs/graphlib', 'uplot']

/**
 * @typedef {{ name: string, version: string, licence: string, repository: string, folder: string }} Crate a crate or
 *   a package of npm
 * @typedef {{ name: string, text: string, licences: string[] }} Text name: the path in the crate
 * @typedef {{ body: string, heads: Map<string, string[]> }} Group a text; heads: the titles by copyright lines
 */

/**
 * @param {Crate[]} [crates]
 * @returns {{ text: string, missing: string[], unused: string[] }} text: of the file; missing: crates without a
 *   licence text; unused: files of scripts/notices/ that no crate needs
 */
function notices (crates = [...linked(), ...libraries()]) {
  const missing = []
  const unused = new Set(fs.readdirSync(TEXTS))
  const lines = []
  /** @type {Map<string, Group>} */
  const groups = new Map()
  for (const crate of crates) {
    const title = `${crate.name} ${crate.version}`
    const chosen = choose(crate.licence, textsOf(crate))
    if (chosen === undefined) {
      missing.push(title)
      continue
    }
    lines.push(`${title}: ${chosen.licences.join(', ')}`)
    const texts = [...chosen.texts, ...headsOf(crate)]
    for (const { name, text } of texts) {
      add(groups, texts.length > 1 ? `${title} (${name})` : title, text)
      unused.delete(name)
    }
  }
  lines.push(`${RUST.title}: ${RUST.licences}`)
  for (const name of RUST.files) {
    add(groups, RUST.title, read(path.join(TEXTS, name)))
    unused.delete(name)
  }
  return { text: write(lines, [...groups.values()]), missing, unused: [...unused] }
}

/**
 * Returns the crates that are linked into the binary of at least one target, sorted by name.
 *
 * @param {string[]} [targets]
 * @returns {Crate[]}
 */
function linked (targets = TARGETS) {
  const options = targets.flatMap((target) => ['--target', target])
  const tree = cargo('tree', '--locked', ...options, '--edges=normal', '--prefix=none', '--format={p}')
  const names = new Set(tree.split('\n').map((line) => line.split(' ').slice(0, 2).join(' ')))
  /** @type {{ packages: { name: string, version: string, source: string | null, license?: string, repository?: string, manifest_path: string }[] }} */
  const { packages } = JSON.parse(cargo('metadata', '--locked', '--format-version=1'))
  return packages
    .filter(({ name, version, source }) => source !== null && names.has(`${name} v${version}`))
    .map(({ name, version, license, repository, manifest_path: manifest }) => {
      return { name, version, licence: license ?? '', repository: repository ?? '', folder: path.dirname(manifest) }
    })
    .sort((a, b) => a.name < b.name || (a.name === b.name && a.version < b.version) ? -1 : 1)
}

/** @returns {Crate[]} */
function libraries () {
  return LIBRARIES.map((name) => {
    const folder = path.join(ROOT, 'node_modules', ...name.split('/'))
    const { version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
    return { name, version, licence: license, repository: '', folder }
  })
}

/** @param {string[]} args */
function cargo (...args) {
  return execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 27 })
}

/**
 * Returns the licence files of a crate, and of code that the crate has copied from other projects.
 *
 * @param {Crate} crate
 * @returns {Text[]}
 */
function textsOf ({ folder, repository }) {
  const found = fs.readdirSync(folder, { recursive: true }).map(String)
    .filter((name) => NAMES.test(path.basename(name)) && fs.statSync(path.join(folder, name)).isFile())
    .map((name) => ({ name: name.split(path.sep).join('/'), file: path.join(folder, name) }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
  const elsewhere = TEXTS_OF_REPOSITORIES[repository]
  if (found.length === 0 && elsewhere !== undefined) found.push({ name: elsewhere, file: path.join(TEXTS, elsewhere) })
  return found.map(({ name, file }) => {
    const text = read(file)
    return { name, text, licences: Object.keys(LICENCES).filter((licence) => LICENCES[licence].test(flat(text))) }
  })
}

/**
 * Returns the licence terms in the head comments of source files. Equal terms occur once, below all their copyright lines.
 *
 * @param {Crate} crate
 */
function headsOf ({ folder }) {
  /** @type {Map<string, { body: string, lines: Set<string>, names: string[] }>} */
  const found = new Map()
  const sources = fs.readdirSync(folder, { recursive: true }).map((name) => String(name).split(path.sep).join('/'))
    .filter((name) => SOURCES.test(name)).sort()
  for (const name of sources) {
    const [comment] = COMMENT.exec(fs.readFileSync(path.join(folder, name), 'utf8')) ?? ['']
    const text = tidy(comment)
    if (!TERMS.test(flat(text))) continue
    const { head, body } = split(text)
    const same = found.get(flat(body)) ?? { body, lines: new Set(), names: [] }
    found.set(flat(body), same)
    for (const line of head.trim().split('\n')) same.lines.add(line)
    same.names.push(name)
  }
  return [...found.values()].map(({ body, lines, names }) => {
    return { name: names.length > 1 ? `${names.length} source files` : names[0], text: `${[...lines].sort().join('\n')}\n\n${body}`.trim() }
  })
}

/** @param {string} file */
function read (file) {
  return tidy(fs.readFileSync(file, 'utf8'))
}

/**
 * Removes comment marks, which licence files may have too, and surrounding space.
 *
 * @param {string} text
 */
function tidy (text) {
  const bare = /^\s*(\/[/*]|#[!\s]|;)/.test(text) ? text.replace(MARKS, '') : text
  return bare.replace(/^\uFEFF|[^\S\n]+$/gm, '').replace(/^\n+|\n+$/g, '')
}

/** @param {string} text */
function flat (text) {
  return text.replace(/\s+/g, ' ')
}

/**
 * Splits a text into its copyright lines, in which most texts differ, and the rest.
 *
 * @param {string} text
 */
function split (text) {
  const [head] = /^((portions copyright|copyright|(the )?(mit|isc|unicode) license)\b.*\n+)*/i.exec(text) ?? ['']
  return { head: head.replace(/\n+/g, '\n'), body: text.slice(head.length) }
}

/**
 * Adds a text to its group.
 *
 * @param {Map<string, Group>} groups by the text without copyright lines
 * @param {string} title crate or file that has the text
 * @param {string} text
 */
function add (groups, title, text) {
  const { head, body } = split(text)
  const group = groups.get(flat(body)) ?? { body, heads: new Map() }
  groups.set(flat(body), group)
  group.heads.set(head, [...group.heads.get(head) ?? [], title])
}

/**
 * Chooses an alternative of a licence expression, and its texts; `undefined` if no alternative has all its texts.
 *
 * @param {string} expression
 * @param {Text[]} texts
 */
function choose (expression, texts) {
  const order = Object.keys(LICENCES)
  /** @param {string[]} licences */
  const rank = (licences) => Math.max(...licences.map((name) => order.includes(name) ? order.indexOf(name) : order.length))
  const choices = alternatives(expression)
  const licences = choices.sort((a, b) => rank(a) - rank(b))
    .find((names) => names.every((name) => texts.some((text) => text.licences.includes(name))))
  if (licences === undefined) return undefined
  // Without a choice all texts stay: code that the crate has copied may have other terms.
  /** @param {Text} text */
  const belongs = (text) => choices.length === 1 || /(^|\/)notice/i.test(text.name) || text.licences.some((name) => licences.includes(name))
  return { licences, texts: texts.filter(belongs) }
}

/**
 * Returns the alternatives of an SPDX expression. For `A AND (B OR C)` it returns `[[A, B], [A, C]]`.
 *
 * @param {string} expression
 * @returns {string[][]}
 */
function alternatives (expression) {
  const tokens = expression.replaceAll('/', ' OR ').match(/[()]|[^\s()]+( WITH [^\s()]+)?/g) ?? []
  /** @returns {string[][]} */
  const any = () => {
    const found = all()
    while (tokens[0] === 'OR') {
      tokens.shift()
      found.push(...all())
    }
    return found
  }
  /** @returns {string[][]} */
  const all = () => {
    let found = one()
    while (tokens[0] === 'AND') {
      tokens.shift()
      const more = one()
      found = found.flatMap((names) => more.map((others) => [...names, ...others]))
    }
    return found
  }
  /** @returns {string[][]} */
  const one = () => {
    const token = tokens.shift()
    if (token !== '(') return [[token ?? 'none']]
    const found = any()
    tokens.shift()
    return found
  }
  return any()
}

/**
 * @param {string[]} lines one for each crate
 * @param {Group[]} groups
 */
function write (lines, groups) {
  return [
    'The binary of hypertrace-prometheus contains the software below, each used under the licence that is named.',
    'The texts of the licences follow, each after the names and copyright lines of the software that has it.',
    'The binary of one platform may not contain all of it. Generated by scripts/notices.js.',
    '',
    ...lines,
    '',
    ...groups.flatMap(({ body, heads }) => [
      '='.repeat(80),
      ...[...heads].flatMap(([head, titles]) => [titles.join(', '), head.replace(/^(?=.)/gm, '    ')]),
      '-'.repeat(80), '', body, ''
    ])
  ].join('\n')
}

function main () {
  const { text, missing, unused } = notices()
  if (missing.length + unused.length === 0) return fs.writeFileSync(FILE, text)
  if (missing.length > 0) console.error(`No licence text of ${missing.join(', ')} was found. Add it to TEXTS_OF_REPOSITORIES in scripts/notices.js`)
  if (unused.length > 0) console.error(`No crate needs ${unused.join(', ')}. Remove it from scripts/notices/`)
  process.exitCode = 1
}

module.exports = { FILE, alternatives, libraries, linked, notices }

if (require.main === module) main()
