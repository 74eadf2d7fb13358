'use strict'

/*
 * The time of one call with a label set that was counted before, with one thread and with eight threads at once. One page shows all
 * threads.
 *
 * The result of a thread is its median batch. A batch is far shorter than the scheduler's time slice, so only a few batches contain
 * a wait for a processor. Only this package is measured: no other implementation shows several
 * threads on one page.
 */

const { once } = require('node:events')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const implementations = require('../implementations')
const calls = require('./calls')
const { median } = require('../statistics')

const cases = () => [1, 8].map((threads) => ({
  lines: [{ name: `known call, 1,000 series, ${threads} thread${threads > 1 ? 's at once' : ''}` }],
  threads,
  series: 1_000,
  only: ['ours']
}))

async function measure ({ threads, series, quick, port }, create) {
  create({ port })
  const workers = Array.from({ length: threads }, () => new Worker(__filename, { workerData: { series, quick, port } }))
  await Promise.all(workers.map((worker) => once(worker, 'message'))) // all threads have joined
  const measured = workers.map((worker) => once(worker, 'message'))
  for (const worker of workers) worker.postMessage('go')
  const values = (await Promise.all(measured)).map(([value]) => value)
  return { values: [median(values)] }
}

async function measureThread ({ series, quick, port }) {
  const own = implementations.ours({ port })
  parentPort.postMessage('joined')
  await once(parentPort, 'message')
  parentPort.postMessage(calls.measure({ series, quick }, () => own).values[0])
}

if (!isMainThread) measureThread(workerData)

module.exports = { cases, measure, unit: 'ns' }
