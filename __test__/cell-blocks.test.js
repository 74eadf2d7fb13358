'use strict'

/*
 * Tests cell blocks: memory in which JavaScript counts and which Rust reads. Rust creates the cell blocks, so that no code of an
 * application decides on their size and kind.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { afterEach, test } = require('node:test')
const { Registry } = require('prom-client')

const { Exporter } = require('../lib/load-binding')
const { exporterOptions } = require('../lib/open-exporter')
const { readOptions } = require('../lib/options')
const { createExporters } = require('./support/exporters')
const { parse } = require('./support/exposition')
const { payload } = require('./support/payload')

const { start, stopAll } = createExporters()
afterEach(stopAll)

const CELLS = 4096

function createExporter (maxSeries) {
  return new Exporter(exporterOptions(readOptions({ maxSeries, collectDefaults: false })))
}

test('a cell block has 4,096 numbers in memory of its own, which is neither shared nor resizable', () => {
  const block = createExporter(10).createCells(0)
  assert.ok(block instanceof Float64Array)
  assert.equal(block.length, CELLS)
  assert.equal(block.byteOffset, 0)
  assert.equal(block.buffer.byteLength, CELLS * 8)
  assert.equal(block.buffer.resizable, false)
  assert.ok(block.buffer instanceof ArrayBuffer)
  assert.ok(block.every((count) => count === 0))
})

test('a cell block is created once', () => {
  const exporter = createExporter(3 * CELLS)
  exporter.createCells(1)[0] = 7
  assert.throws(() => exporter.createCells(1), /the cell block exists/)
  assert.throws(() => exporter.createCells(1), /the cell block exists/)
  exporter.createCells(0)
})

test('a cell block beyond the last slot is refused', () => {
  for (const [maxSeries, last] of [[1, 0], [CELLS - 1, 0], [CELLS, 1], [100_000_000, 24_414]]) {
    const exporter = createExporter(maxSeries)
    for (const index of [last + 1, 0xffffffff]) {
      assert.throws(() => exporter.createCells(index), /no slot can be in this cell block/, `${maxSeries}: ${index}`)
    }
    exporter.createCells(last)
  }
})

test('counts are right if an application has replaced Float64Array', () => {
  const script = `
    const HypertracePrometheus = require(${JSON.stringify(path.join(__dirname, '..'))})
    const { payload } = require(${JSON.stringify(path.join(__dirname, 'support', 'payload'))})
    let buffer
    globalThis.Float64Array = class extends Float64Array {
      constructor () {
        buffer = new ArrayBuffer(4096 * 8, { maxByteLength: 2 ** 20 })
        super(buffer)
      }
    }
    const traceFunction = HypertracePrometheus({ collectDefaults: false })
    traceFunction(payload())
    traceFunction(payload())
    buffer?.resize(0)
    traceFunction.metrics().then((page) => { console.log(page) })`
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 })
  assert.equal(signal ?? status, 0, stderr)
  assert.match(stdout, /^trace_counter\{.*\} 2$/m)
})

/** Returns every object that can be reached from an object by properties and prototypes. */
function reachable (from) {
  const seen = new Set([from])
  for (const object of seen) {
    const next = Object.getOwnPropertyDescriptors(object)
    for (const { value, get } of [...Object.values(next), { value: Object.getPrototypeOf(object) }]) {
      for (const one of [value, get]) {
        if ((typeof one === 'object' && one !== null) || typeof one === 'function') seen.add(one)
      }
    }
  }
  return seen
}

test('the exporter cannot be reached from a registry or from the trace function', async () => {
  const register = new Registry()
  const traceFunction = start({ register, collectDefaults: true })
  traceFunction(payload())
  assert.equal(parse(await register.metrics()).get('trace_counter').samples[0].value, 1)
  const objects = [...reachable(traceFunction), ...reachable(register)]
  assert.ok(objects.includes(register.getSingleMetric('trace_counter')))
  assert.deepEqual(objects.filter((object) => object instanceof Exporter), [])
  assert.equal(objects.includes(Exporter), false)
})
