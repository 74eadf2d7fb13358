/* eslint-env browser */
// The table with one row for each group. Rows are reused from one summary to the next, so that focus,
// selection and scroll position stay. Names come from an application: they are set as text, never as markup.

import { Spark } from './chart.mjs'
import { UNKNOWN, count, heading, percent, printable, rate, shortPath } from './format.mjs'

/**
 * @typedef {{ key: string, labels: Record<string, string>, value: number, rate: number | null,
 *   points: import('./history.mjs').Point[], expandable: boolean }} Line `expandable`: a click on the row shows more
 */

const FIGURES = [
  { id: 'rate', name: 'Calls/s' },
  { id: 'value', name: 'Total' },
  { id: 'share', name: 'Share' }
]

const MISSING = 'none'
const MAX_TITLE_LENGTH = 1000

export class Table {
  #head
  #body
  #onOpen
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
   * @param {(labels: Record<string, string>) => void} onOpen called with the labels of a row that is opened
   */
  constructor (head, body, onOpen) {
    this.#head = head
    this.#body = body
    this.#onOpen = onOpen
  }

  /** Shows only rows whose names contain this text. */
  filterBy (text) {
    this.#filter = text.trim().toLowerCase()
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
    if (!FIGURES.some(({ id }) => id === this.#sort.column) && !by.includes(this.#sort.column)) {
      this.#sort = { column: 'value', descending: true }
    }
    this.#rows.clear()
    this.#body.replaceChildren()
    const row = document.createElement('tr')
    for (const label of by) row.append(this.#headCell(label, heading(label), 'name'))
    for (const { id, name } of FIGURES) row.append(this.#headCell(id, name, `number ${id}`))
    const trend = document.createElement('th')
    trend.scope = 'col'
    trend.className = 'trend'
    trend.textContent = 'Trend'
    row.append(trend)
    this.#head.replaceChildren(row)
    this.#showSort()
  }

  #headCell (column, name, className) {
    const cell = document.createElement('th')
    cell.scope = 'col'
    cell.className = className
    cell.dataset.column = column
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = printable(name, 40)
    button.addEventListener('click', () => this.#sortBy(column))
    cell.append(button)
    return cell
  }

  #sortBy (column) {
    const isNumber = FIGURES.some(({ id }) => id === column)
    const same = this.#sort.column === column
    this.#sort = { column, descending: same ? !this.#sort.descending : isNumber }
    this.#showSort()
    this.#show()
  }

  #showSort () {
    for (const cell of this.#head.querySelectorAll('th[data-column]')) {
      const sorted = cell.dataset.column === this.#sort.column
      if (sorted) cell.setAttribute('aria-sort', this.#sort.descending ? 'descending' : 'ascending')
      else cell.removeAttribute('aria-sort')
    }
  }

  #show () {
    const lines = this.#lines.filter(({ labels }) => this.#passes(labels)).sort((a, b) => this.#compare(a, b))
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

  #compare (a, b) {
    const { column, descending } = this.#sort
    const sign = descending ? -1 : 1
    if (column === 'rate') return sign * ((a.rate ?? -1) - (b.rate ?? -1)) || b.value - a.value
    if (column === 'value' || column === 'share') return sign * (a.value - b.value)
    const [left, right] = [a.labels[column] ?? '', b.labels[column] ?? '']
    return sign * left.localeCompare(right, 'en', { numeric: true }) || b.value - a.value
  }

  #row (line) {
    let row = this.#rows.get(line.key)
    if (row === undefined) {
      row = this.#newRow(line)
      this.#rows.set(line.key, row)
    }
    return row
  }

  #newRow ({ labels, expandable }) {
    const element = document.createElement('tr')
    const isOverflow = 'hypertrace_overflow' in labels
    const names = isOverflow ? ['hypertrace_overflow', ...this.#by.slice(1)] : this.#by
    names.forEach((label, i) => {
      const cell = document.createElement(i === 0 ? 'th' : 'td')
      if (i === 0) cell.scope = 'row'
      cell.className = 'name'
      const name = isOverflow ? (i === 0 ? 'Overflow: maximum of series reached' : '') : nameOf(label, labels[label])
      const text = expandable && i === 0 ? document.createElement('button') : document.createElement('bdi')
      if (expandable && i === 0) text.type = 'button'
      text.append(...breakable(name, label))
      text.classList.toggle('missing', labels[label] === undefined && !isOverflow)
      if (labels[label] !== undefined && name !== labels[label]) cell.title = printable(labels[label], MAX_TITLE_LENGTH)
      cell.append(text)
      element.append(cell)
    })
    if (expandable) {
      element.className = 'expandable'
      element.addEventListener('click', () => {
        if (document.getSelection().isCollapsed) this.#onOpen(labels)
      })
    }
    const figures = FIGURES.map(({ id }) => {
      const cell = element.insertCell()
      cell.className = `number ${id}`
      return cell
    })
    const bar = document.createElement('span')
    bar.className = 'share-bar'
    const text = document.createElement('span')
    figures[2].append(bar, text)
    const spark = new Spark()
    const trend = element.insertCell()
    trend.className = 'trend'
    trend.append(spark.root)
    return { element, rate: figures[0], value: figures[1], share: text, bar, spark }
  }

  #fill (row, line) {
    const { now, span, matched } = this.#drawing
    const share = matched > 0 ? line.value / matched : 0
    setText(row.rate, line.rate === null ? UNKNOWN : rate(line.rate))
    setText(row.value, count(line.value))
    setText(row.share, percent(share))
    row.bar.style.setProperty('--share', share.toFixed(4))
    row.element.classList.toggle('idle', line.rate === 0)
    row.spark.draw(line.points, now, span)
  }
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
