'use strict'

/*
 * `npm run bench`: measures this package, 1.0.0, other exporters and the lower limit of the costs in one run.
 *
 *   node benchmark [--quick] [--only=calls,scrape] [--rounds=N]
 *
 * Each measurement runs in its own process. A round measures all implementations in turn, so that changes in the machine's speed
 * affect all of them. The median round is the result. Prints a table. Without --only and --quick, also writes `results.md`, the
 * plots, the table of docs/performance.md and the short table of README.md.
 */

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const implementations = require('./implementations')
const { run } = require('./run')
const { median } = require('./statistics')
const { PLOTS, toSvg } = require('./plot')
const { toText, toSummary, toMarkdown } = require('./table')

const ROWS = ['calls', 'real-calls', 'threads', 'scrape', 'formats', 'render', 'memory', 'peak', 'recorder', 'cluster', 'hypercore', 'load', 'start']

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, rounds: { type: 'string' } }
})
const chosen = options.only ? options.only.split(',') : ROWS

/** The lines of the short table of README.md. */
const README_LINES = [
  'real call, 10 ids × 10 objects',
  'first call of a label set',
  'scrape, 100k series',
  'event loop stalled by a scrape, 100k series',
  'memory a series, 100k series',
  'require and start'
]

/** The measurements that failed, with the reason. */
const missing = []

/** The number of rounds of each row: more where values vary, fewer where a round takes a long time. */
const ROUNDS = { calls: 3, 'real-calls': 5, threads: 3, scrape: 3, formats: 3, render: 3, memory: 3, peak: 1, recorder: 1, cluster: 3, hypercore: 3, load: 1, start: 7 }

/**
 * Measures one case of a row with each implementation.
 *
 * @returns {Promise<{ name: string, plot?: string, x?: number, unit: string, medians: Record<string, number> }[]>} the lines of
 *   the case, with the median of each implementation's rounds
 */
async function measureCase (row, unit, measured) {
  const names = Object.keys(implementations)
    .filter((name) => !measured.without?.includes(name) && (!measured.only || measured.only.includes(name)))
  const outcomes = new Map(names.map((name) => [name, []]))
  const rounds = Number(options.rounds ?? (options.quick ? 1 : ROUNDS[row]))

  for (let round = 0; round < rounds; round++) {
    for (const name of outcomes.keys()) {
      progress(`${measured.lines[0].name}: round ${round + 1} of ${rounds}, ${name}`)
      const outcome = await run(row, measured, name)
      if ('error' in outcome) {
        for (const line of measured.lines) missing.push({ name, measured: line.name, why: outcome.error })
        outcomes.delete(name)
      } else {
        outcomes.get(name).push(outcome.values)
      }
    }
  }
  progress('')
  return measured.lines.map((line, index) => {
    const present = [...outcomes].filter(([, list]) => list[0][index] !== undefined)
    return { unit, ...line, medians: Object.fromEntries(present.map(([name, list]) => [name, median(list.map((values) => values[index]))])) }
  })
}

function progress (text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function main () {
  const lines = []
  for (const row of chosen) {
    const { cases, unit } = require(`./rows/${row}`)
    for (const measured of cases(options)) {
      for (const line of await measureCase(row, unit, { ...measured, quick: options.quick })) {
        lines.push(line)
        console.log(toText(line))
      }
    }
  }

  const columns = Object.keys(implementations)
  const markdown = toMarkdown(lines, columns, { rounds: options.rounds ?? (options.quick ? '1' : 'up to 7'), missing })
  console.log(`\n${markdown}`)
  if (!options.only && !options.quick) write(lines, markdown)
  // Other packages may fail: 1.0.0 sends no page in time to 100 scrapers.
  if (missing.some(({ name }) => name === 'ours')) process.exitCode = 1
}

function write (lines, markdown) {
  const plots = Object.entries(PLOTS)
  for (const [name, plot] of plots) {
    fs.writeFileSync(path.join(__dirname, `${name}.svg`), toSvg(plot, lines.filter((line) => line.plot === name)))
  }
  const pictures = plots.map(([name, { title }]) => `![${title}](${name}.svg)`)
  fs.writeFileSync(path.join(__dirname, 'results.md'), `# Results\n\n\`npm run bench\` writes this file.\n\n${markdown}\n${pictures.join('\n\n')}\n`)

  const root = path.join(__dirname, '..')
  const headlines = lines.filter(({ headline }) => headline)
  const short = headlines.filter(({ name }) => README_LINES.includes(name))
  writeTable(path.join(root, 'docs', 'performance.md'), toSummary(headlines, ['ours', '1.0.0', '@prometheus-io/client', 'OpenTelemetry']))
  writeTable(path.join(root, 'README.md'), toSummary(short, ['ours', '1.0.0']))
}

/** Replaces the table between the two markers of a document. */
function writeTable (document, table) {
  const block = /(<!-- npm run bench -->\n)[^]*?(<!-- end -->)/
  fs.writeFileSync(document, fs.readFileSync(document, 'utf8').replace(block, (_, start, end) => `${start}\n${table}\n\n${end}`))
}

main()
