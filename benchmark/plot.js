'use strict'

/*
 * Draws results as SVG: one line for each implementation, on two logarithmic axes. The functions are pure.
 */

/** @typedef {{ title: string, unit: string }} Plot */

/** @type {Record<string, Plot>} by file name */
const PLOTS = {
  calls: { title: 'A known call, by number of series', unit: 'ns' },
  scrape: { title: 'A scrape over HTTP, by number of series', unit: 'ms' },
  stall: { title: 'Event loop stalled by a scrape, by number of series', unit: 'ms' },
  memory: { title: 'Memory a series, by number of series', unit: 'bytes' }
}

/** Each line has a colour that most people can distinguish from the others on white, and a dash pattern. */
const STYLES = {
  ours: { colour: '#0072b2', dash: '' },
  '1.0.0': { colour: '#d55e00', dash: '' },
  '@prometheus-io/client': { colour: '#009e73', dash: '6 3' },
  OpenTelemetry: { colour: '#cc79a7', dash: '2 3' },
  limit: { colour: '#555555', dash: '1 4' }
}

const WIDTH = 640
const HEIGHT = 360
const LEFT = 70
const RIGHT = 170
const TOP = 40
const BOTTOM = 50

/**
 * @param {Plot} plot
 * @param {{ x: number, medians: Record<string, number> }[]} points
 * @returns {string}
 */
function toSvg ({ title, unit }, points) {
  const names = Object.keys(STYLES).filter((name) => points.some(({ medians }) => medians[name] > 0))
  const counts = points.map((point) => point.x)
  const x = scale(counts[0], counts.at(-1), LEFT, WIDTH - RIGHT)
  const steps = decades(points.flatMap(({ medians }) => names.map((name) => medians[name])))
  const y = scale(steps[0], steps.at(-1), HEIGHT - BOTTOM, TOP)
  const body = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 22, title, 'font-weight="bold"'),
    ...steps.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#dddddd"/>`,
      text(LEFT - 8, y(value) + 4, `${short(value)} ${unit}`, 'text-anchor="end"')
    ]),
    ...counts.map((value) => text(x(value), HEIGHT - BOTTOM + 20, short(value), 'text-anchor="middle"')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, 'series', 'text-anchor="middle"'),
    ...labelPositions(names, (name) => y(points.findLast(({ medians }) => medians[name] > 0).medians[name])).map(({ name, at }) => {
      const present = points.filter(({ medians }) => medians[name] > 0)
      const { colour, dash } = STYLES[name]
      const path = present.map(({ x: value, medians }) => `${x(value)},${y(medians[name])}`).join(' ')
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>`,
        ...present.map(({ x: value, medians }) => `<circle cx="${x(value)}" cy="${y(medians[name])}" r="3" fill="${colour}"/>`),
        text(WIDTH - RIGHT + 10, at + 4, escape(name), `fill="${colour}"`)
      ].join('\n')
    })
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">
<title>${escape(title)}</title>
${body.join('\n')}
</svg>
`
}

/** Returns a logarithmic scale from the range `low` to `high` to the range `from` to `to`. */
function scale (low, high, from, to) {
  const fraction = (value) => Math.log(value / low) / Math.log(high / low)
  return (value) => Math.round(10 * (from + fraction(value) * (to - from))) / 10
}

/** Returns the powers of ten that enclose the values. */
function decades (values) {
  const positive = values.filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...positive)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))))
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
}

/** Returns the positions of the names at the ends of their lines, moved apart where they would overlap. */
function labelPositions (names, positionOf) {
  const positions = names.map((name) => ({ name, at: positionOf(name) })).sort((a, b) => a.at - b.at)
  for (let i = 1; i < positions.length; i++) positions[i].at = Math.max(positions[i].at, positions[i - 1].at + 15)
  return positions
}

function short (value) {
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(3)))
}

function text (x, y, words, more = '') {
  return `<text x="${x}" y="${y}" ${more}>${words}</text>`
}

function escape (words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

module.exports = { PLOTS, toSvg }
