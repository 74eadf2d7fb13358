'use strict'

// README.md taken apart: its code blocks, tables, headings and links.

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..')
const BLOCK = /(?:<!-- readme\.test: (.+?) -->\n)?^```(\w*)\n([^]*?)^```$/gm

const text = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')

/**
 * The code blocks. `mark` is what the comment before one says of it.
 * @returns {{ mark: string | undefined, language: string, code: string }[]}
 */
function blocks () {
  return [...text.matchAll(BLOCK)].map(([, mark, language, code]) => ({ mark, language, code }))
}

/** The code of the one block with this mark. */
function marked (mark) {
  const found = blocks().filter(block => block.mark === mark)
  if (found.length !== 1) throw new Error(`${found.length} blocks are marked "${mark}"`)
  return found[0].code
}

/** The rows of the first table under a heading, cell by cell, without its head. */
function table (heading) {
  const section = text.split(`\n## ${heading}\n`)[1].split('\n## ')[0]
  const rows = section.match(/(?:^\|.*\n)+/m)[0].trim().split('\n').slice(2)
  return rows.map(row => row.slice(1, -1).split('|').map(cell => cell.trim()))
}

/** The anchors that headings have on GitHub. */
function anchors () {
  const prose = text.replace(BLOCK, '')
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    return '#' + heading.toLowerCase().replace(/[^\w\- ]/g, '').replace(/ /g, '-')
  })
}

/** Where links lead. */
function links () {
  return [...text.replace(BLOCK, '').matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target)
}

module.exports = { ROOT, text, blocks, marked, table, anchors, links }
