'use strict'

// Reads the documents: code blocks, tables, headings and links of README.md and docs/, and the links
// of every other document.

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..')
const BLOCK = /(?:<!-- readme\.test: (.+?) -->\n)?^```(\w*)\n([^]*?)^```$/gm

/** Documents whose code is run and whose tables are compared with the code. */
const GUIDES = ['README.md', ...fs.readdirSync(path.join(ROOT, 'docs')).sort().map(name => `docs/${name}`)]

/** Documents in which only the links are checked. */
const OTHERS = [
  'ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md',
  'benchmark/results.md', 'benchmark/tried-changes.md', 'grafana/README.md'
]

/** @param {string} name the path of a document in the project */
function read (name) {
  return fs.readFileSync(path.join(ROOT, name), 'utf8')
}

/**
 * Returns the code blocks of the guides. `mark` is the comment before a block that names its test.
 *
 * @returns {{ document: string, mark: string | undefined, language: string, code: string }[]}
 */
function blocks () {
  return GUIDES.flatMap(document => {
    return [...read(document).matchAll(BLOCK)].map(([, mark, language, code]) => ({ document, mark, language, code }))
  })
}

/** Returns the code of the only block with this mark. */
function marked (mark) {
  const found = blocks().filter(block => block.mark === mark)
  if (found.length !== 1) throw new Error(`${found.length} blocks are marked "${mark}"`)
  return found[0].code
}

/**
 * Returns the rows of the first table below a heading, cell by cell, without the head.
 *
 * @param {string} document
 * @param {string} heading
 */
function table (document, heading) {
  const [, section] = read(document).match(new RegExp(`^#+ ${heading}\n([^]*?)(?=^#|$(?![^]))`, 'm')) ?? []
  if (section === undefined) throw new Error(`${document} has no heading "${heading}"`)
  const rows = section.match(/(?:^\|.*\n)+/m)[0].trim().split('\n').slice(2)
  return rows.map(row => row.slice(1, -1).split('|').map(cell => cell.trim()))
}

/**
 * Returns the anchors that GitHub gives to the headings of a document. A heading that occurs again
 * has a number at its end.
 *
 * @param {string} document
 */
function anchors (document) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  return [...read(document).replace(BLOCK, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const anchor = heading.toLowerCase().replace(/[^\w\- ]/g, '').replace(/ /g, '-')
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return before === 0 ? anchor : `${anchor}-${before}`
  })
}

/**
 * Returns the targets of the links and images of a document.
 *
 * @param {string} document
 */
function links (document) {
  return [...read(document).replace(BLOCK, '').matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target)
}

module.exports = { ROOT, GUIDES, OTHERS, read, blocks, marked, table, anchors, links }
