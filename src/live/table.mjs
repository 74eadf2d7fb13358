/* eslint-env browser */
// The table with one row for each group. Rows are reused from one summary to the next, so that focus,
// selection and scroll position stay. An application chooses the names: they are set as text, never as markup.
//
// On a narrow screen the style sheet lays rows out as grids. Elements have explicit roles, because a
// browser drops the implicit ones with `display: grid`.

import { Spark, meanSeconds } from './chart.mjs'
import { UNKNOWN, count, duration, heading, percent, printable, rate, shortPath } from './format.mjs'

/**
 * @typedef {import('./view.mjs').Sort} Sort
 * @typedef {{ key: string, labels: Record<string, string>, value: number, rate: number | null,
 *   points: import('./history.mjs').Point[], next: string | null }} Line `next`: the view that a click on
 *   the row opens, `null` without one
 */

const FIGURES = [
  { id: 'rate', name: 'Calls/s', help: 'rate' },
  { id: 'value', name: 'Total', help: 'total' },
  { id: 'share', name: 'Share', help: 'share' }
]

const MISSING = 'none'
const MAX_TITLE_LENGTH = 1000

export class Table {
  #head
  #body
  #onOpen
  #onSort
  #help
  #columns = ''
  #by = []
  #lines = []
  #rows = new Map()
  #sort = { column: 'value', descending: true }
  #filter = ''
  #drawing = { now: 0, span: 60, matched: 0 }

  /**
   * @param {HTMLElement} head
   * @param {HTMLElement} body
   * @param {{ onOpen: (labels: Record<string, string>) => void, onSort: (sort: Sort) => void,
   *   help: (id: string) => string }} callbacks a row is opened; a heading is clicked; the explanation of a column
   */
  constructor (head, body, { onOpen, onSort, help }) {
    this.#head = head
    this.#body = body
    this.#onOpen = onOpen
    this.#onSort = onSort
    this.#help = help
  }

  /** Shows only rows whose names contain this text. */
  filterBy (text) {
    this.#filter = text.trim().toLowerCase()
    this.#show()
  }

  /** Sets the order of the rows; a column that the table does not have sets the order by total. */
  sortBy (sort) {
    this.#sort = sort
    this.#showSort()
    this.#show()
  }

  /**
   * @param {string[]} by
   * @param {Line[]} lines
   * @param {{ now: number, span: number, matched: number }} drawing the page's time, the time
   *   that sparklines show, and the calls that shares refer to
   */
  draw (by, lines, drawing) {
    if (by.join() !== this.#columns) this.#start(by)
    this.#lines = lines
    this.#drawing = drawing
    this.#show()
  }

  /** The number of rows that are shown, and of all rows. */
  get shown () {
    return [this.#body.rows.length, this.#lines.length]
  }

  #start (by) {
    this.#by = by
    this.#columns = by.join()
    this.#rows.clear()
    this.#body.replaceChildren()
    this.#body.parentElement.dataset.names = String(by.length)
    const row = element('tr', 'row')
    for (const label of by) row.append(this.#headCell(label, heading(label), 'name', label))
    for (const { id, name, help } of FIGURES) row.append(this.#headCell(id, name, `number ${id}`, help))
    const trend = element('th', 'columnheader', 'trend')
    trend.textContent = 'Trend'
    trend.title = this.#help('trend')
    const more = element('td', 'cell', 'more')
    row.append(trend, more)
    this.#head.replaceChildren(row)
    this.#showSort()
  }

  #headCell (column, name, className, help) {
    const cell = element('th', 'columnheader', className)
    cell.dataset.column = column
    cell.title = this.#help(help)
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = printable(name, 40)
    button.addEventListener('click', () => {
      const { column: sorted, descending } = this.#order
      const isNumber = FIGURES.some(({ id }) => id === column)
      this.#onSort({ column, descending: sorted === column ? !descending : isNumber })
    })
    cell.append(button)
    return cell
  }

  /** The sort that applies to the present columns. */
  get #order () {
    const { column } = this.#sort
    const exists = FIGURES.some(({ id }) => id === column) || this.#by.includes(column)
    return exists ? this.#sort : { column: 'value', descending: true }
  }

  #showSort () {
    const { column, descending } = this.#order
    for (const cell of this.#head.querySelectorAll('th[data-column]')) {
      if (cell.dataset.column === column) cell.setAttribute('aria-sort', descending ? 'descending' : 'ascending')
      else cell.removeAttribute('aria-sort')
    }
  }

  #show () {
    const order = this.#order
    const lines = this.#lines.filter(({ labels }) => this.#passes(labels)).sort((a, b) => compare(a, b, order))
    const focused = document.activeElement
    const shown = new Set()
    lines.forEach((line, i) => {
      const row = this.#row(line)
      shown.add(line.key)
      if (this.#body.rows[i] !== row.element) this.#body.insertBefore(row.element, this.#body.rows[i] ?? null)
      this.#fill(row, line)
    })
    for (const [key, { element }] of this.#rows) {
      if (shown.has(key)) continue
      element.remove()
      this.#rows.delete(key)
    }
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true })
  }

  #passes (labels) {
    return this.#filter === '' || Object.values(labels).some((value) => value.toLowerCase().includes(this.#filter))
  }

  #row (line) {
    let row = this.#rows.get(line.key)
    if (row?.next !== line.next) {
      row?.element.remove()
      row = this.#newRow(line)
      this.#rows.set(line.key, row)
    }
    return row
  }

  #newRow ({ labels, next }) {
    const row = element('tr', 'row')
    const isOverflow = 'hypertrace_overflow' in labels
    this.#by.forEach((label, i) => {
      const cell = i === 0 ? element('th', 'rowheader', 'name') : element('td', 'cell', 'name')
      const name = isOverflow ? (i === 0 ? 'Overflow: maximum of series reached' : '') : nameOf(label, labels[label])
      const isButton = next !== null && i === 0
      const text = document.createElement(isButton ? 'button' : 'bdi')
      if (isButton) text.type = 'button'
      text.append(...breakable(name, label))
      cell.classList.toggle('missing', labels[label] === undefined && !isOverflow)
      if (isOverflow) cell.title = this.#help('overflow')
      else if (labels[label] !== undefined && name !== labels[label]) cell.title = printable(labels[label], MAX_TITLE_LENGTH)
      cell.append(text)
      row.append(cell)
    })
    const [rateCell, valueCell, share] = FIGURES.map(({ id }) => element('td', 'cell', `number ${id}`))
    const bar = document.createElement('span')
    bar.className = 'share-bar'
    const text = document.createElement('span')
    share.append(bar, text)
    const spark = new Spark()
    const trend = element('td', 'cell', 'trend')
    trend.append(spark.root)
    const more = element('td', 'cell', 'more')
    row.append(rateCell, valueCell, share, trend, more)
    if (next !== null) {
      more.append(chevron())
      row.className = 'expandable'
      row.title = `Show: ${next}`
      row.addEventListener('click', () => {
        if (document.getSelection().isCollapsed) this.#onOpen(labels)
      })
    }
    return { element: row, next, rate: rateCell, value: valueCell, share: text, bar, spark, trend }
  }

  #fill (row, line) {
    const { now, span, matched } = this.#drawing
    const share = matched > 0 ? line.value / matched : 0
    setText(row.rate, line.rate === null ? UNKNOWN : rate(line.rate))
    setText(row.value, count(line.value))
    setText(row.share, percent(share))
    row.bar.style.setProperty('--share', share.toFixed(4))
    row.element.classList.toggle('idle', line.rate === 0)
    const highest = row.spark.draw(line.points, now, span)
    row.trend.title = `The last ${duration(span)}, from 0 to ${rate(highest)}/s`
    const mean = line.points.at(-1)?.span
    row.rate.title = mean === undefined ? '' : `${meanSeconds(mean)} mean`
  }
}

/** Orders two lines; equal ones by total. */
function compare (a, b, { column, descending }) {
  const sign = descending ? -1 : 1
  if (column === 'rate') return sign * ((a.rate ?? -1) - (b.rate ?? -1)) || b.value - a.value
  if (column === 'value' || column === 'share') return sign * (a.value - b.value)
  const [left, right] = [a.labels[column] ?? '', b.labels[column] ?? '']
  return sign * left.localeCompare(right, 'en', { numeric: true }) || b.value - a.value
}

/** Creates an element of the table. */
function element (name, role, className = '') {
  const created = document.createElement(name)
  created.setAttribute('role', role)
  created.className = className
  return created
}

function chevron () {
  const mark = document.createElement('span')
  mark.setAttribute('aria-hidden', 'true')
  mark.textContent = '›'
  return mark
}

/** Returns the text of a label's value. */
export function nameOf (label, value) {
  if (value === undefined || value === '') return MISSING
  return printable(label === 'caller_filename' ? shortPath(value) : value)
}

/** Allows a line break after each slash of a path. */
function breakable (name, label) {
  if (label !== 'caller_filename') return [name]
  return name.split(/(?<=[\\/])/).flatMap((segment) => [segment, document.createElement('wbr')])
}

/** Writes only text that has changed: writing ends a selection. */
function setText (element, text) {
  if (element.textContent !== text) element.textContent = text
}
