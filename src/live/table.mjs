/* eslint-env browser */
// The table with one row for each group. Rows are reused from one answer to the next, so that focus,
// selection and scroll position stay. An application chooses the names: they are set as text, never as markup.
//
// On a narrow screen the style sheet lays rows out as grids. Elements have explicit roles, because a
// browser drops the implicit roles with `display: grid`.

import { button, copy, create, setText, swatch } from './dom.mjs'
import { UNKNOWN, count, heading, percent, printable, rate } from './format.mjs'
import { nameOf } from './sentence.mjs'
import { Spark } from './spark.mjs'

/**
 * @typedef {import('./view.mjs').Sort} Sort
 * @typedef {{ key: string, labels: Record<string, string>, value: number, rate: number | null, colour?: string,
 *   trend: (number | null)[], next: string | null, query: string | null }} Line `next`: the view that a click on
 *   the row opens, `null` without one; `query`: the row as PromQL
 * @typedef {{ rate: string, value: string, trend: string }} Units what the figures cover: "5 s mean"
 */

const FIGURES = [
  { id: 'rate', name: 'Calls/s', help: 'rate' },
  { id: 'value', name: 'Calls', help: 'total' },
  { id: 'share', name: 'Share', help: 'share' }
]

const MAX_TITLE_LENGTH = 1000

export class Table {
  #head
  #body
  #callbacks
  #columns = ''
  #by = []
  #lines = []
  #rows = new Map()
  #sort = { column: 'value', descending: true }
  #matched = 0

  /**
   * @param {HTMLElement} head
   * @param {HTMLElement} body
   * @param {{ onOpen: (labels: Record<string, string>) => void, onSort: (sort: Sort) => void,
   *   onHover: (key: string | null) => void, help: (id: string) => string }} callbacks called when a row
   *   is opened, when a heading is clicked, and when a row is under the pointer or has the focus; `help` returns the
   *   explanation of a column
   */
  constructor (head, body, callbacks) {
    this.#head = head
    this.#body = body
    this.#callbacks = callbacks
    const keyOf = ({ target }) => target.closest('tr')?.dataset.key ?? null
    for (const event of ['pointerover', 'focusin']) body.addEventListener(event, (event) => callbacks.onHover(keyOf(event)))
    for (const event of ['pointerleave', 'focusout']) body.addEventListener(event, () => callbacks.onHover(null))
  }

  /** Sets the order of the rows. If the table does not have the column, the rows are sorted by total. */
  sortBy (sort) {
    this.#sort = sort
    this.#showSort()
    this.#show()
  }

  /**
   * @param {string[]} by
   * @param {Line[]} lines
   * @param {number} matched the calls that shares refer to
   * @param {Units} units
   */
  draw (by, lines, matched, units) {
    if (by.join() !== this.#columns) this.#start(by)
    this.#lines = lines
    this.#matched = matched
    for (const [id, text] of Object.entries(units)) setText(this.#head.querySelector(`.${id} .unit`), text)
    this.#show()
  }

  #start (by) {
    this.#columns = by.join()
    this.#by = by
    this.#rows.clear()
    this.#body.replaceChildren()
    this.#head.closest('table').dataset.names = String(by.length)
    const row = element('tr', 'row')
    for (const label of by) row.append(this.#headCell(label, heading(label), 'name', label))
    for (const { id, name, help } of FIGURES) row.append(this.#headCell(id, name, `number ${id}`, help))
    const trend = element('th', 'columnheader', 'trend')
    trend.append(create('span', 'column', 'Trend'), create('span', 'unit'))
    trend.title = this.#callbacks.help('trend')
    const more = element('td', 'cell', 'more')
    row.append(trend, more)
    this.#head.replaceChildren(row)
    this.#showSort()
  }

  #headCell (column, name, className, help) {
    const cell = element('th', 'columnheader', className)
    cell.dataset.column = column
    cell.title = this.#callbacks.help(help)
    cell.append(button(printable(name, 40), () => {
      const { column: sorted, descending } = this.#order
      const isNumber = FIGURES.some(({ id }) => id === column)
      this.#callbacks.onSort({ column, descending: sorted === column ? !descending : isNumber })
    }))
    if (className !== 'name') cell.append(create('span', 'unit'))
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
    const lines = [...this.#lines].sort((a, b) => compare(a, b, order))
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

  #row (line) {
    let row = this.#rows.get(line.key)
    if (row?.next !== line.next) {
      row?.element.remove()
      row = this.#newRow(line)
      this.#rows.set(line.key, row)
    }
    return row
  }

  #newRow ({ key, labels, next, query }) {
    const row = element('tr', 'row')
    row.dataset.key = key
    const isOverflow = 'hypertrace_overflow' in labels
    const mark = swatch()
    this.#by.forEach((label, i) => {
      const cell = i === 0 ? element('th', 'rowheader', 'name') : element('td', 'cell', 'name')
      const name = isOverflow ? (i === 0 ? 'Overflow: maximum of series reached' : '') : nameOf(label, labels[label])
      const isButton = next !== null && i === 0
      const text = isButton ? button('', () => {}) : document.createElement('bdi')
      text.append(...breakable(name, label))
      cell.classList.toggle('missing', labels[label] === undefined && !isOverflow)
      if (isOverflow) cell.title = this.#callbacks.help('overflow')
      else if (labels[label] !== undefined && name !== labels[label]) cell.title = printable(labels[label], MAX_TITLE_LENGTH)
      if (i === 0) cell.append(mark)
      cell.append(text)
      row.append(cell)
    })
    const [rateCell, valueCell, share] = FIGURES.map(({ id }) => element('td', 'cell', `number ${id}`))
    const bar = create('span', 'share-bar')
    const text = create('span')
    share.append(bar, text)
    const spark = new Spark()
    const trend = element('td', 'cell', 'trend')
    trend.append(spark.root)
    const more = element('td', 'cell', 'more')
    if (query !== null) {
      const trigger = button('PromQL', (event) => {
        event.stopPropagation()
        copy(trigger, query)
      }, 'copy')
      trigger.title = `Copy ${printable(query, MAX_TITLE_LENGTH)}`
      more.append(trigger)
    }
    row.append(rateCell, valueCell, share, trend, more)
    if (next !== null) {
      const chevron = create('span', 'chevron', '›')
      chevron.setAttribute('aria-hidden', 'true')
      more.append(chevron)
      row.className = 'expandable'
      row.title = `Show: ${next}`
      row.addEventListener('click', () => {
        if (document.getSelection().isCollapsed) this.#callbacks.onOpen(labels)
      })
    }
    return { element: row, next, rate: rateCell, value: valueCell, share: text, bar, spark, trend, mark }
  }

  #fill (row, line) {
    const share = this.#matched > 0 ? Math.min(1, line.value / this.#matched) : 0
    setText(row.rate, line.rate === null ? UNKNOWN : rate(line.rate))
    setText(row.value, count(line.value))
    setText(row.share, percent(share))
    row.bar.style.setProperty('--share', share.toFixed(4))
    row.mark.dataset.colour = line.colour ?? 'none'
    row.element.classList.toggle('idle', line.rate === 0)
    row.trend.title = `From 0 to ${rate(row.spark.draw(line.trend))}/s`
  }
}

/** Compares two lines for sorting; lines that are equal in the column are compared by total. */
function compare (a, b, { column, descending }) {
  const sign = descending ? -1 : 1
  if (column === 'rate') return sign * ((a.rate ?? -1) - (b.rate ?? -1)) || b.value - a.value
  if (column === 'value' || column === 'share') return sign * (a.value - b.value)
  const [left, right] = [a.labels[column] ?? '', b.labels[column] ?? '']
  return sign * left.localeCompare(right, 'en', { numeric: true }) || b.value - a.value
}

/** Creates an element of a table. */
export function element (name, role, className = '') {
  const created = create(name, className)
  created.setAttribute('role', role)
  return created
}

/** Allows a line break after each slash of a path. */
function breakable (name, label) {
  if (label !== 'caller_filename') return [name]
  return name.split(/(?<=[\\/])/).flatMap((segment) => [segment, document.createElement('wbr')])
}
