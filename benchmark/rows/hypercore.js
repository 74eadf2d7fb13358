'use strict'

/*
 * The throughput that real hypercores in memory lose. A batch has three phases: appends, a replication and reads. The batches run in
 * turn without a trace function, with a trace function that does nothing, and with the trace function of the exporter. Each batch
 * creates its own cores, because hypertrace creates tracers only while a trace function is set. The lines `to the exporter alone` compare
 * with the trace function that does nothing, so they do not contain the work of hypertrace itself.
 */

const { once } = require('node:events')
const { createRequire } = require('node:module')
const { clearTraceFunction, setTraceFunction } = require('hypertrace')
const Hypercore = require('hypercore')
const { median } = require('../statistics')

const RandomAccessStorage = createRequire(require.resolve('hypercore'))('random-access-storage')

/** The number of reads of each block. */
const READS = 10

const PHASES = ['append', 'replicate', 'read']

const cases = ({ quick }) => [{
  blocks: quick ? 200 : 500,
  batches: quick ? 6 : 30,
  lines: [
    ...PHASES.map((phase) => ({ name: `throughput that hypercore loses, ${phase}`, headline: true })),
    ...PHASES.map((phase) => ({ name: `throughput that hypercore loses to the exporter alone, ${phase}`, aim: 0.33, headline: true }))
  ],
  only: ['ours', '1.0.0']
}]

/** A storage in memory. */
class Memory extends RandomAccessStorage {
  constructor () {
    super()
    this.bytes = Buffer.alloc(0)
    this.length = 0
  }

  _open (request) { request.callback(null) }

  _read (request) {
    const { offset, size } = request
    if (offset + size > this.length) return request.callback(new Error('Could not satisfy length'), null)
    request.callback(null, Buffer.from(this.bytes.subarray(offset, offset + size)))
  }

  _write (request) {
    const { offset, data } = request
    const end = offset + data.length
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(2 * end)
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    data.copy(this.bytes, offset)
    this.length = Math.max(this.length, end)
    request.callback(null, null)
  }

  _del (request) {
    if (request.offset + request.size >= this.length) this.length = Math.min(this.length, request.offset)
    request.callback(null, null)
  }

  _truncate (request) {
    this.length = Math.min(this.length, request.offset)
    request.callback(null, null)
  }

  _stat (request) {
    request.callback(null, { size: this.length })
  }
}

/**
 * Runs one batch, and returns the microseconds of CPU time of each phase. The CPU time is a measure of the throughput, because a phase
 * waits for nothing but its own work.
 */
async function batch (blocks) {
  const writer = new Hypercore(() => new Memory())
  await writer.ready()
  const reader = new Hypercore(() => new Memory(), writer.key)
  await reader.ready()
  const times = []
  const timed = async (work) => {
    const start = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(start)
    times.push(user + system)
  }
  await timed(async () => {
    for (let block = 0; block < blocks; block++) await writer.append(Buffer.alloc(100, block))
  })
  const [near, far] = [writer.replicate(true), reader.replicate(false)]
  near.on('error', () => {}).pipe(far.on('error', () => {})).pipe(near)
  await timed(async () => {
    await reader.update({ wait: true })
    await reader.download({ start: 0, end: blocks }).done()
  })
  await timed(async () => {
    for (let n = 0; n < READS * blocks; n++) await reader.get(n % blocks)
  })
  const closed = [near, far].map((stream) => once(stream, 'close'))
  near.destroy()
  far.destroy()
  await Promise.all(closed)
  await Promise.all([writer.close(), reader.close()])
  return times
}

async function measure ({ blocks, batches }, create) {
  const functions = { none: undefined, nothing: () => {}, exporter: create().trace }
  const modes = Object.keys(functions)
  const run = async (mode) => {
    if (functions[mode] === undefined) clearTraceFunction()
    else setTraceFunction(functions[mode])
    return batch(blocks)
  }
  for (const mode of [...modes, ...modes]) await run(mode)
  const lost = { none: PHASES.map(() => []), nothing: PHASES.map(() => []) }
  for (let n = 0; n < batches; n++) {
    const times = {}
    // In each batch another mode runs first.
    for (let turn = 0; turn < modes.length; turn++) {
      const mode = modes[(n + turn) % modes.length]
      times[mode] = await run(mode)
    }
    for (const base of Object.keys(lost)) {
      PHASES.forEach((_, phase) => lost[base][phase].push(100 * (times.exporter[phase] - times[base][phase]) / times.exporter[phase]))
    }
  }
  clearTraceFunction()
  return { values: [...lost.none, ...lost.nothing].map((values) => Math.max(0.01, median(values))) }
}

module.exports = { cases, measure, unit: '%' }
