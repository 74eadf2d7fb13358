/* eslint-env browser */
/* global dagre */
// Draws the map as SVG. A new layout is computed only when nodes or edges change. When only the rates change, only the
// texts and the widths of the lines change. A table below the map has the same content.

import { button, create, setText, svg } from './dom.mjs'
import { count, printable, rate } from './format.mjs'
import { graphOf, layoutOf, nodeName, widthOf } from './graph.mjs'
import { element } from './table.mjs'

const NARROW = 620

/** The text of a row's parent or class in the table. */
const nameIn = (labels, prefix) => {
  const name = labels[`${prefix}object_classname`]
  if (name === undefined) return 'none'
  const id = labels[`${prefix}object_id`]
  return printable(id === undefined ? name || '(no class)' : `${name} #${id}`, 60)
}

export class ClassMap {
  #container
  #body
  #onOpen
  #shape = ''
  #keys = ''
  #nodes = new Map()
  #edges = new Map()

  /**
   * @param {HTMLElement} container
   * @param {HTMLElement} body the body of the table with the same content
   * @param {(className: string) => void} onOpen called with the class that the user opens
   */
  constructor (container, body, onOpen) {
    this.#container = container
    this.#body = body
    this.#onOpen = onOpen
  }

  /**
   * Draws rows by parent and object; returns the number of nodes that are left out.
   *
   * @param {import('./graph.mjs').Row[]} rows
   */
  draw (rows) {
    const graph = graphOf(rows)
    const isNarrow = this.#container.clientWidth < NARROW
    const shape = JSON.stringify([isNarrow, graph.nodes.map(({ id }) => id).sort(), graph.edges.map(({ from, to }) => [from, to]).sort()])
    if (shape !== this.#shape) {
      this.#shape = shape
      this.#create(graph, isNarrow)
    }
    this.#fill(graph)
    this.#fillTable(rows)
    return graph.hidden
  }

  #create (graph, isNarrow) {
    const focused = document.activeElement?.closest('.node')?.dataset.id
    const layout = layoutOf(dagre, graph, isNarrow)
    const width = Math.ceil(layout.width) || 1
    const height = Math.ceil(layout.height) || 1
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': 'Classes and the classes of the objects that they create' })
    const marker = svg('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: 'userSpaceOnUse', orient: 'auto' })
    marker.append(svg('path', { d: 'M0 0L8 4L0 8Z' }))
    const defs = svg('defs')
    defs.append(marker)
    root.append(defs)
    this.#nodes.clear()
    this.#edges.clear()
    for (const { from, to } of graph.edges) {
      const key = `${from} ${to}`
      const { path, label: { x, y } } = layout.edges.get(key)
      const line = svg('path', { class: 'edge', d: path, 'marker-end': 'url(#arrow)' })
      const label = svg('text', { class: 'edge-rate', x, y, 'text-anchor': 'middle' })
      root.append(line)
      this.#edges.set(key, { line, label })
    }
    for (const { label } of this.#edges.values()) root.append(label)
    for (const node of graph.nodes) root.append(this.#createNode(node, layout.nodes.get(node.id)))
    this.#container.replaceChildren(root)
    if (focused !== undefined) this.#nodes.get(focused)?.group.focus()
  }

  #createNode (node, { x, y, width, height }) {
    const opens = !node.isObject && node.className !== ''
    const group = svg('g', { class: opens ? 'node opens' : 'node', transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, role: opens ? 'button' : 'img' })
    group.dataset.id = node.id
    const name = svg('text', { class: 'node-name', x: 12, y: 22 })
    name.textContent = nodeName(node.name)
    const figure = svg('text', { class: 'node-rate', x: 12, y: 41 })
    const title = svg('title')
    group.append(svg('rect', { width, height, rx: 9 }), svg('rect', { class: 'node-bar', y: height - 3, height: 3, rx: 1.5 }), name, figure, title)
    if (opens) {
      const chevron = svg('text', { class: 'node-chevron', x: width - 16, y: 22 })
      chevron.textContent = '›'
      group.append(chevron)
      group.setAttribute('tabindex', '0')
      group.addEventListener('click', () => this.#onOpen(node.className))
      group.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return
        event.preventDefault()
        this.#onOpen(node.className)
      })
    }
    this.#nodes.set(node.id, { group, figure, title, bar: group.children[1], width, text: '' })
    return group
  }

  #fill ({ nodes, edges }) {
    const highestEdge = Math.max(0, ...edges.map(({ value }) => value))
    const highestNode = Math.max(0, ...nodes.map(({ value }) => value))
    for (const { id, name, rate: perSecond, value } of nodes) {
      const { group, figure, title, bar, width } = this.#nodes.get(id)
      const text = `${rate(perSecond)} calls/s`
      setText(figure, text)
      setText(title, `${printable(name)}: ${text}, ${count(value)} calls`)
      group.setAttribute('aria-label', `${printable(name)}: ${text}, ${count(value)} calls`)
      group.classList.toggle('idle', perSecond === 0)
      bar.setAttribute('width', (highestNode > 0 ? width * value / highestNode : 0).toFixed(1))
    }
    for (const { from, to, rate: perSecond, value } of edges) {
      const edge = this.#edges.get(`${from} ${to}`)
      edge.line.setAttribute('stroke-width', widthOf(value, highestEdge).toFixed(1))
      edge.line.classList.toggle('idle', perSecond === 0)
      setText(edge.label, `${rate(perSecond)}/s`)
    }
  }

  #fillTable (rows) {
    const shown = rows.filter(({ labels }) => !('hypertrace_overflow' in labels))
    const keys = JSON.stringify(shown.map(({ labels }) => labels))
    if (keys !== this.#keys) {
      this.#keys = keys
      this.#body.replaceChildren(...shown.map(({ labels }) => this.#createRow(labels)))
    }
    shown.forEach(({ rate: perSecond, value }, i) => {
      const [, , first, second] = this.#body.rows[i].cells
      setText(first, rate(perSecond))
      setText(second, count(value))
    })
  }

  #createRow (labels) {
    const row = element('tr', 'row')
    const parent = element('th', 'rowheader', 'name')
    parent.append(create('bdi', '', nameIn(labels, 'parent_')))
    const child = element('td', 'cell', 'name')
    const opens = labels.object_id === undefined && labels.object_classname !== undefined
    child.append(opens ? button(nameIn(labels, ''), () => this.#onOpen(labels.object_classname)) : create('bdi', '', nameIn(labels, '')))
    row.append(parent, child, element('td', 'cell', 'number'), element('td', 'cell', 'number'))
    return row
  }
}
