'use strict'

/*
 * Runs programs of the documents. These programs need the packages of scripts/ecosystem.js.
 */

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { ECOSYSTEM } = require('../../scripts/ecosystem')
const { environment } = require('./ecosystem')
const { startProgram } = require('./program')
const readme = require('./readme')

/**
 * Creates a folder in which programs find `hypertrace`, this package, the packages of scripts/ecosystem.js and
 * `some-module.js`.
 *
 * @param {import('node:test').TestContext} t
 */
function createProject (t) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'documents-')))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(modules)
  fs.symlinkSync(readme.ROOT, path.join(modules, 'hypertrace-prometheus'), 'junction')
  fs.symlinkSync(path.join(readme.ROOT, 'node_modules', 'hypertrace'), path.join(modules, 'hypertrace'), 'junction')
  // An ES module does not find packages by NODE_PATH.
  for (const name of Object.keys(ECOSYSTEM)) {
    const link = path.join(modules, name)
    fs.mkdirSync(path.dirname(link), { recursive: true })
    fs.symlinkSync(path.join(environment.NODE_PATH, name), link, 'junction')
  }
  fs.writeFileSync(path.join(folder, 'some-module.js'), readme.marked('file some-module.js'))
  return folder
}

/**
 * Starts the program that a document marks as `run <name>`.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {{ replace?: [string, string][], env?: NodeJS.ProcessEnv }} [more] replace: pairs of a
 *   text, which the program contains once, and the text that replaces it
 */
function startDocumented (t, name, { replace = [], env } = {}) {
  let source = readme.marked(`run ${name}`)
  for (const [text, by] of replace) {
    if (source.split(text).length !== 2) throw new Error(`${name} does not have ${text} once`)
    source = source.replace(text, by)
  }
  const file = path.join(createProject(t), name)
  fs.writeFileSync(file, source)
  return startProgram(t, file, [], { env: { ...environment, ...env } })
}

module.exports = { createProject, startDocumented }
