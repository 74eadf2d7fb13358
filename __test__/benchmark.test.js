'use strict'

/*
 * Checks that the benchmark runs and that its plots are valid. It does not check the measured values.
 */

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')
const { promisify } = require('node:util')
const { toSvg } = require('../benchmark/plot')

const BENCHMARK = path.join(__dirname, '..', 'benchmark')

test('a row has a value for each implementation that it measures, and no value for the others', { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCHMARK, '--quick', '--rounds=1', '--only=start'])
  const row = stdout.split('\n').find((line) => line.startsWith('| require and start'))
  const cells = row.split('|').slice(2, -1).map((cell) => cell.trim() === '' ? NaN : Number(cell.replaceAll(',', '')))
  const [ours, reference, , openTelemetry, limit, ratio, aim] = cells // @prometheus-io/client does not run on every Node.js
  for (const value of [ours, reference, openTelemetry, ratio, aim]) assert.ok(value > 0, row)
  assert.ok(Number.isNaN(limit), row)
  assert.ok(Math.abs(ours / reference - ratio) <= 0.06 * ratio, row)
})

test('a plot has a line for each measured implementation, within its frame', () => {
  const points = [
    { x: 1, medians: { ours: 50, '1.0.0': 900 } },
    { x: 1000, medians: { ours: 100, '1.0.0': 1000 } },
    { x: 100_000, medians: { ours: 400, '1.0.0': 2500 } }
  ]
  const svg = toSvg({ title: 'Calls & costs', unit: 'ns' }, points)
  const [, width, height] = svg.match(/viewBox="0 0 (\d+) (\d+)"/).map(Number)
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, text]) => text.split(' ').map((point) => point.split(',').map(Number)))
  assert.deepEqual(lines.map((line) => line.length), [3, 3])
  for (const [x, y] of lines.flat()) assert.ok(x >= 0 && x <= width && y >= 0 && y <= height, `${x}, ${y}`)
  for (const [left, middle, right] of lines) {
    assert.ok(left[0] < middle[0] && middle[0] < right[0])
    assert.ok(left[1] > middle[1] && middle[1] > right[1], 'larger values are higher')
  }
  assert.match(svg, /<title>Calls &amp; costs<\/title>/)
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
})
