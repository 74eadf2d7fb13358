'use strict'

/*
 * Formats results as text. The functions are pure, except `machine`.
 */

const os = require('node:os')

/** Formats a number: with three significant digits below 100, and as an integer from 100 on. */
function number (value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-GB')
  return String(Number(value.toPrecision(3)))
}

function ratio ({ medians }, of, to) {
  const value = medians[of] / medians[to]
  return Number.isFinite(value) ? number(Number(value.toPrecision(2))) : ''
}

/** Formats one line of a case for the terminal. */
function toText (line) {
  const cells = Object.entries(line.medians).map(([name, value]) => `${name} ${number(value)}`)
  const ofReference = ratio(line, 'ours', '1.0.0')
  return `${line.name} (${line.unit}): ${cells.join(', ')}${ofReference && `; ours / 1.0.0 = ${ofReference}`}`
}

function machine () {
  const cpus = os.cpus()
  return `${cpus[0].model.trim()}, ${cpus.length} cores, ${process.platform} ${process.arch}, Node.js ${process.versions.node}`
}

/** @param {string[][]} rows the first row is the head */
function table ([head, ...rows]) {
  const lines = [head, ['---', ...head.slice(1).map(() => '---:')], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/**
 * Returns a table of these lines, for README.md and docs/performance.md.
 *
 * @param {{ name: string, unit: string, medians: Record<string, number> }[]} lines
 * @param {string[]} columns
 */
function toSummary (lines, columns) {
  const valueOf = ({ medians, unit }, name) => name in medians ? `${number(medians[name])} ${unit}` : ''
  return [
    table([
      ['', ...columns, 'ours / 1.0.0'],
      ...lines.map((line) => [line.name, ...columns.map((name) => valueOf(line, name)), ratio(line, 'ours', '1.0.0')])
    ]),
    '',
    machine() + '.'
  ].join('\n')
}

/**
 * Returns the text of results.md.
 *
 * @param {{ name: string, unit: string, aim?: number, medians: Record<string, number> }[]} lines `aim`: the target, which is the
 *   maximum of the ratio of this package to 1.0.0
 * @param {string[]} columns
 * @param {{ rounds: string, missing: { name: string, measured: string, why: string }[] }} run
 */
function toMarkdown (lines, columns, { rounds, missing }) {
  const head = ['', ...columns, 'ours / 1.0.0', 'at most', 'ours / limit']
  const body = lines.map((line) => [
    `${line.name}, ${line.unit}`,
    ...columns.map((name) => name in line.medians ? number(line.medians[name]) : ''),
    ratio(line, 'ours', '1.0.0'),
    line.aim ?? '',
    ratio(line, 'ours', 'limit')
  ])
  const reasons = new Map(missing.map(({ name, why }) => [`${name}: ${why}`, []]))
  for (const { name, measured, why } of missing) reasons.get(`${name}: ${why}`).push(measured)
  const notes = [...reasons].map(([reason, names]) => `Not measured: ${reason} (${names.length === lines.length ? 'all' : names.join('; ')}).`)
  return [
    `${machine()}. Medians of ${rounds} interleaved rounds, each measurement in a process of its own.`,
    '',
    table([head, ...body]),
    ...(notes.length > 0 ? ['', ...notes] : []),
    ''
  ].join('\n')
}

module.exports = { toText, toSummary, toMarkdown }
