'use strict'

/*
 * Compares the counts of this package and of the reference for the same traces of real hypercores.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const Hypercore = require('hypercore')
const { setTraceFunction, clearTraceFunction } = require('hypertrace')
const { payloadForReference, normalise, countsOf, differences, total } = require('./support/differences')
const { startReference, startOurs } = require('./support/implementations')

const CORES = 8
const BLOCKS = 60

/** Appends to, replicates and reads some cores, also through sessions and snapshots. */
async function work (folder) {
  const writers = []
  for (let i = 0; i < CORES; i++) {
    const writer = new Hypercore(path.join(folder, `writer-${i}`))
    await writer.ready()
    writers.push(writer)
  }
  await Promise.all(writers.map(async (writer, i) => {
    const reader = new Hypercore(path.join(folder, `reader-${i}`), writer.key)
    await reader.ready()
    const [near, far] = [writer.replicate(true), reader.replicate(false)]
    near.pipe(far).pipe(near)

    const session = writer.session()
    for (let block = 0; block < BLOCKS; block++) {
      await (block % 3 === 0 ? session : writer).append([`block ${block}`, Buffer.alloc(8, block)])
    }
    await reader.update({ wait: true })
    await reader.download({ start: 0, end: writer.length }).done()
    const snapshot = reader.snapshot()
    for (let index = 0; index < writer.length; index++) await (index % 2 ? reader : snapshot).get(index)

    await Promise.all([session.close(), snapshot.close()])
    const closed = Promise.all([near, far].map((stream) => new Promise((resolve) => stream.once('close', resolve))))
    near.destroy()
    far.destroy()
    await closed
    await Promise.all([writer.close(), reader.close()])
  }))
}

for (const allowedProps of [[], ['index', 'id', 'type', 'value']]) {
  const named = allowedProps.length > 0 ? `with allowedProps ${allowedProps}` : 'without props'

  test(`counts of real hypercores equal the counts of the reference, ${named}`, { timeout: 60_000 }, async (t) => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'hypertrace-prometheus-'))
    const reference = startReference({ allowedProps })
    const ours = startOurs({ allowedProps, port: 0 })
    let calls = 0

    try {
      setTraceFunction((payload) => {
        calls++
        reference(payloadForReference(payload, allowedProps))
        ours(payload)
      })
      await work(folder)
      clearTraceFunction()

      const expected = normalise(await reference.metrics())
      const actual = countsOf(await ours.metrics())
      t.diagnostic(`${calls} calls, ${actual.size} series`)
      assert.deepEqual(differences(expected, actual), [])
      assert.equal(total(actual), calls)
      assert.ok(calls >= 3 * CORES * BLOCKS, `only ${calls} calls`)
      assert.ok(actual.size >= 3 * CORES * (allowedProps.length > 0 ? BLOCKS : 1), `only ${actual.size} series`)
    } finally {
      clearTraceFunction()
      await Promise.all([reference.stop(), ours.stop()])
      await fs.rm(folder, { recursive: true, force: true })
    }
  })
}
