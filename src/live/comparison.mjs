/* eslint-env browser */
// The table of a comparison: the calls whose rates rose, fell, appeared or ended between two spans.

import { create, setText } from './dom.mjs'
import { count, heading, rate } from './format.mjs'
import { nameOf } from './sentence.mjs'
import { element } from './table.mjs'

const MAX_LINES = 100

const WORDS = { appeared: 'appeared', ended: 'ended', rose: 'rose', fell: 'fell', same: 'about the same' }

/** Returns the text of a change: "rose 12×", "fell to 1/3", "appeared". Pure. */
export function changeText ({ change, before, after }) {
  if (change === 'rose' && after >= 2 * before) return `rose ${rate(after / before)}×`
  if (change === 'rose') return `rose ${count((after / before - 1) * 100)} %`
  if (change === 'fell' && before >= 2 * after) return `fell to 1/${rate(before / after)}`
  if (change === 'fell') return `fell ${count((1 - after / before) * 100)} %`
  return WORDS[change]
}

/**
 * Fills the table, and returns the number of lines that it shows and of all lines.
 *
 * @param {HTMLElement} head
 * @param {HTMLElement} body
 * @param {string[]} by
 * @param {import('./compare.mjs').Line[]} lines
 */
export function drawComparison (head, body, by, lines) {
  const columns = [...by.map((label) => [heading(label), 'name', '']), ['Before', 'number', 'calls/s'], ['After', 'number', 'calls/s'], ['Change', 'change', ''], ['', 'delta', '']]
  const row = element('tr', 'row')
  for (const [name, className, unit] of columns) {
    const cell = name === '' ? element('td', 'cell', className) : element('th', 'columnheader', className)
    cell.append(create('span', 'column', name), create('span', 'unit', unit))
    row.append(cell)
  }
  head.closest('table').dataset.names = String(by.length)
  head.replaceChildren(row)
  const shown = lines.filter(({ change }) => change !== 'same').slice(0, MAX_LINES)
  const highest = Math.max(...shown.map(({ before, after }) => Math.abs(after - before)))
  body.replaceChildren(...shown.map((line) => {
    const row = element('tr', 'row', line.change)
    by.forEach((label, i) => {
      const cell = i === 0 ? element('th', 'rowheader', 'name') : element('td', 'cell', 'name')
      cell.append(create('bdi', '', 'hypertrace_overflow' in line.labels ? (i === 0 ? 'Overflow' : '') : nameOf(label, line.labels[label])))
      row.append(cell)
    })
    for (const value of [line.before, line.after]) {
      const cell = element('td', 'cell', 'number')
      setText(cell, rate(value))
      row.append(cell)
    }
    const change = element('td', 'cell', 'change')
    setText(change, changeText(line))
    const delta = element('td', 'cell', 'delta')
    const bar = create('span', 'delta-bar')
    bar.style.setProperty('--share', (Math.abs(line.after - line.before) / highest).toFixed(4))
    delta.append(bar)
    row.append(change, delta)
    return row
  }))
  return { shown: shown.length, all: lines.length }
}
