'use strict'

/*
 * `npm run bench`: this package beside 1.0.0, its peers and the limit, in one run.
 *
 *   node benchmark [--quick] [--only=calls,scrape] [--rounds=N]
 *
 * Each measurement has a process of its own. Rounds go through all implementations in turn, so that a machine that grows slower or
 * faster does so for all of them; the median round is the result. Prints a table and writes `results.md` (not with --only or --quick).
 */

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const implementations = require('./implementations')
const { run } = require('./run')
const { median } = require('./statistics')
const { toText, toMarkdown } = require('./table')

const ROWS = ['calls', 'threads', 'scrape', 'render', 'memory', 'start']

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, rounds: { type: 'string' } }
})
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
const chosen = options.only ? options.only.split(',') : ROWS

/** What could not be measured, and why. */
const missing = []

/**
 * @returns {Promise<Record<string, number>>} the median round of each implementation
 */
async function measureCase (row, measured) {
  const names = Object.keys(implementations)
    .filter((name) => !measured.without?.includes(name) && (!measured.only || measured.only.includes(name)))
  const values = new Map(names.map((name) => [name, []]))

  for (let round = 0; round < rounds; round++) {
    for (const name of values.keys()) {
      progress(`${measured.name}: round ${round + 1} of ${rounds}, ${name}`)
      const outcome = await run(row, measured, name)
      if ('error' in outcome) {
        missing.push({ name, measured: measured.name, why: outcome.error })
        values.delete(name)
      } else {
        values.get(name).push(outcome.value)
      }
    }
  }
  progress('')
  return Object.fromEntries([...values].map(([name, list]) => [name, median(list)]))
}

function progress (text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function main () {
  const lines = []
  for (const row of chosen) {
    const { cases, unit } = require(`./rows/${row}`)
    for (const measured of cases(options)) {
      lines.push({ name: measured.name, unit, medians: await measureCase(row, { ...measured, quick: options.quick }) })
      console.log(toText(lines.at(-1)))
    }
  }

  const columns = Object.keys(implementations)
  const markdown = toMarkdown(lines, columns, { rounds, missing })
  console.log(`\n${markdown}`)
  if (!options.only && !options.quick) fs.writeFileSync(path.join(__dirname, 'results.md'), markdown)
  if (missing.some(({ name }) => name === 'ours' || name === '1.0.0')) process.exitCode = 1
}

main()
