'use strict'

// Every crate that may become part of the binary has a licence that deny.toml allows. `cargo deny`
// says more; this needs nothing but cargo.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')

const ROOT = path.join(__dirname, '..')

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

function allowedLicences () {
  const [, list] = /^allow = \[(.*)\]$/m.exec(fs.readFileSync(path.join(ROOT, 'deny.toml'), 'utf8')) ?? []
  assert.notEqual(list, undefined)
  return new Set([...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name))
}

/**
 * An SPDX expression without nesting: choices in parentheses, joined by AND, or choices alone.
 *
 * @param {string} expression
 * @param {Set<string>} allowed
 */
function isAllowed (expression, allowed) {
  const choices = (text) => text.replace(/[()]/g, '').split(/ OR |\s*\/\s*/)
  const isOne = (text) => choices(text).some((licence) => allowed.has(licence.trim()))
  // AND binds closer than OR: only outside of parentheses is it split last.
  if (expression.includes('(')) return expression.split(' AND ').every(isOne)
  return choices(expression).some((choice) => choice.split(' AND ').every((licence) => allowed.has(licence.trim())))
}
