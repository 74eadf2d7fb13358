// The map: classes or objects as nodes, edges from parents to their objects, the rates of both, and positions. Pure: dagre,
// which the caller passes, computes the positions.

import { printable } from './format.mjs'

/**
 * @typedef {{ labels: Record<string, string>, rate: number, value: number }} Row
 * @typedef {{ id: string, name: string, className: string, rate: number, value: number, isObject: boolean }} Node
 * @typedef {{ from: string, to: string, rate: number, value: number }} Edge
 */

/** The maximum number of nodes of the map. The map has the nodes with the most calls. */
export const MAX_NODES = 40

const NODE = { width: 168, height: 52 }
const MAX_NAME = 22

/** The height of an edge from a node to itself. */
const LOOP = 42

/**
 * Returns the nodes and the edges of rows by parent and object. The calls of a row without a parent count for its node,
 * and for no edge.
 *
 * @param {Row[]} rows
 * @returns {{ nodes: Node[], edges: Edge[], hidden: number }} `hidden`: the number of nodes that are left out
 */
export function graphOf (rows) {
  /** @type {Map<string, Node>} */
  const nodes = new Map()
  const nodeOf = (className, objectId) => {
    const id = JSON.stringify([className, objectId ?? null])
    let node = nodes.get(id)
    if (node === undefined) {
      const name = objectId === undefined ? className : `${className} #${objectId}`
      node = { id, name: name === '' ? '(no class)' : name, className, rate: 0, value: 0, isObject: objectId !== undefined }
      nodes.set(id, node)
    }
    return node
  }
  const edges = new Map()
  for (const { labels, rate, value } of rows) {
    if ('hypertrace_overflow' in labels) continue
    const node = nodeOf(labels.object_classname ?? '', labels.object_id)
    node.rate += rate
    node.value += value
    if (labels.parent_object_classname === undefined) continue
    const parent = nodeOf(labels.parent_object_classname, labels.parent_object_id)
    const key = `${parent.id} ${node.id}`
    const edge = edges.get(key) ?? { from: parent.id, to: node.id, rate: 0, value: 0 }
    edge.rate += rate
    edge.value += value
    edges.set(key, edge)
  }
  return largest([...nodes.values()], [...edges.values()])
}

/** Leaves out the nodes with the fewest calls, and their edges. The calls of a parent include those on its edges. */
function largest (nodes, edges) {
  const size = new Map(nodes.map(({ id, value }) => [id, value]))
  for (const { from, value } of edges) size.set(from, size.get(from) + value)
  const shown = nodes.sort((a, b) => size.get(b.id) - size.get(a.id)).slice(0, MAX_NODES)
  const ids = new Set(shown.map(({ id }) => id))
  return {
    nodes: shown,
    edges: edges.filter(({ from, to }) => ids.has(from) && ids.has(to)).sort((a, b) => b.value - a.value),
    hidden: nodes.length - shown.length
  }
}

/**
 * Returns the positions of nodes and the points of edges. Nodes are laid out from left to right; on a narrow
 * screen from top to bottom.
 *
 * @param {any} dagre
 * @param {{ nodes: { id: string }[], edges: { from: string, to: string }[] }} graph
 * @param {boolean} narrow
 */
export function layoutOf (dagre, { nodes, edges }, narrow) {
  const layout = new dagre.graphlib.Graph({ multigraph: false })
  const loops = edges.some(({ from, to }) => from === to)
  layout.setGraph({
    rankdir: narrow ? 'TB' : 'LR', nodesep: loops && !narrow ? LOOP : 20, ranksep: narrow ? 56 : 96, marginx: 8, marginy: loops ? LOOP : 8
  })
  layout.setDefaultEdgeLabel(() => ({}))
  for (const { id } of nodes) layout.setNode(id, { ...NODE })
  for (const { from, to } of edges) if (from !== to) layout.setEdge(from, to, {})
  dagre.layout(layout)
  const { width, height } = layout.graph()
  const boxes = new Map(nodes.map(({ id }) => {
    const { x, y } = layout.node(id)
    return [id, { x: x - NODE.width / 2, y: y - NODE.height / 2, ...NODE }]
  }))
  const paths = edges.map(({ from, to }) => {
    const edge = from === to ? loopAt(boxes.get(from)) : edgeAlong(layout.edge(from, to).points)
    return [`${from} ${to}`, edge]
  })
  return { width, height: loops ? height - LOOP + 8 : height, nodes: boxes, edges: new Map(paths) }
}

function edgeAlong (points) {
  const { x, y } = points[Math.floor(points.length / 2)]
  return { path: pathOf(points), label: { x, y: y - 8 } }
}

/** An edge from a node to itself, above it. */
function loopAt ({ x, y, width }) {
  const [left, right] = [x + width * 0.35, x + width * 0.65]
  return {
    path: `M${left} ${y}C${left} ${y - LOOP * 0.8} ${right} ${y - LOOP * 0.8} ${right} ${y}`,
    label: { x: (left + right) / 2, y: y - LOOP * 0.68 }
  }
}

/** Returns the path of an edge: a smooth line through its points. */
export function pathOf (points) {
  const text = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`
  const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  if (points.length < 3) return `M${text(points[0])}L${text(points.at(-1))}`
  let path = `M${text(points[0])}`
  for (let i = 1; i < points.length - 1; i++) {
    const end = i === points.length - 2 ? points[i + 1] : middle(points[i], points[i + 1])
    path += `Q${text(points[i])} ${text(end)}`
  }
  return path
}

/** Returns the width of an edge's line. The width grows with the number of the edge's calls, relative to the highest number. */
export function widthOf (value, highest) {
  return highest > 0 ? 1 + 5 * Math.sqrt(value / highest) : 1
}

/** Returns a name that fits into a node. */
export function nodeName (name) {
  return printable(name, MAX_NAME)
}
