'use strict'

// Measures the sizes in docs/fleet.md: `node benchmark/fleet.js [blocks] [scrapes]`. This needs Prometheus 3 (see
// scripts/tools.js), 8 GB of memory and ten minutes.
//
// `blocks`: writes the pages of one application, one for each 15 s of an hour, to a block of a TSDB.
// `scrapes`: a Prometheus scrapes as many targets as a fleet has. Each target serves the page of an application.

const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const HypertracePrometheus = require('..')
const { commandOf } = require('../__test__/support/tools')

const STEP_S = 15
const STEPS = 3600 / STEP_S
/** The number of objects that live as long as the process. */
const LONG_LIVED = 20
/** The number of objects that each step creates. They live for two steps. */
const NEW_IN_A_STEP = 5
const CALL_SITES = ['append', 'get', 'send', 'close']

/** @type {Record<string, import('..').Options>} */
const VARIANTS = {
  'as it is': {},
  // A step takes some milliseconds of real time. With this option, a series without calls expires before the next step.
  seriesIdleTimeout: { seriesIdleTimeout: 1 },
  omitLabels: { omitLabels: ['object_id', 'parent_object_id'] }
}

/** Creates an application that makes calls in steps. */
function createApplication (options) {
  const traceFunction = HypertracePrometheus(options)
  let random = 1
  let ids = LONG_LIVED
  const call = (className, id) => {
    for (const functionName of CALL_SITES) {
      random = (random * 16_807) % 2_147_483_647
      for (let i = random % 200; i >= 0; i--) {
        traceFunction({
          id: functionName,
          object: { className, id },
          caller: { functionName, filename: '/srv/application/node_modules/hypercore/index.js', line: functionName.length, column: 7 }
        })
      }
    }
  }
  return {
    traceFunction,
    step () {
      for (let id = 1; id <= LONG_LIVED; id++) call('Hypercore', id)
      for (let id = Math.max(LONG_LIVED + 1, ids - NEW_IN_A_STEP + 1); id <= ids; id++) call('Peer', id)
      for (let i = 0; i < NEW_IN_A_STEP; i++) call('Peer', ++ids)
    }
  }
}

/** Returns the lines of samples of a page, with the labels `job` and `instance` added. */
function samples (page, instance) {
  return page.split('\n').filter((line) => line !== '' && line[0] !== '#').map((line) => {
    const end = line.lastIndexOf(' ')
    const [name, value] = [line.slice(0, end), line.slice(end + 1)]
    const labels = name.endsWith('}') ? `${name.slice(0, -1)},` : `${name}{`
    return `${labels}job="application",instance="${instance}"} ${value}`
  })
}

async function measureBlocks () {
  for (const [name, options] of Object.entries(VARIANTS)) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fleet-'))
    const file = path.join(folder, 'samples.txt')
    const out = fs.openSync(file, 'w')
    const { traceFunction, step } = createApplication(options)
    const begin = Math.floor(Date.now() / 7_200_000) * 7200 - 7200
    let onPage = 0
    for (let i = 0; i < STEPS; i++) {
      step()
      await sleep(3)
      const lines = samples(await traceFunction.metrics(), 'a')
      onPage = lines.length
      fs.writeSync(out, lines.map((line) => `${line} ${begin + i * STEP_S}\n`).join(''))
    }
    fs.writeSync(out, '# EOF\n')
    fs.closeSync(out)
    await traceFunction.stop()
    execFileSync(commandOf('promtool3'), ['tsdb', 'create-blocks-from', 'openmetrics', file, path.join(folder, 'data')], { stdio: 'ignore' })
    let [series, count, chunks, index] = [0, 0, 0, 0]
    for (const block of fs.readdirSync(path.join(folder, 'data'))) {
      const at = path.join(folder, 'data', block)
      const { stats } = JSON.parse(fs.readFileSync(path.join(at, 'meta.json'), 'utf8'))
      series += stats.numSeries
      count += stats.numSamples
      for (const chunk of fs.readdirSync(path.join(at, 'chunks'))) chunks += fs.statSync(path.join(at, 'chunks', chunk)).size
      index += fs.statSync(path.join(at, 'index')).size
    }
    fs.rmSync(folder, { recursive: true })
    console.log(`${name}: ${onPage} lines on the last page; in an hour ${series} series, ${count} samples, ` +
      `${(chunks / count).toFixed(2)} bytes a sample, ${(index / series).toFixed(0)} bytes of index a series, ${((chunks + index) / 1e6).toFixed(2)} MB`)
  }
}

async function measureScrapes () {
  for (const [name, options] of Object.entries(VARIANTS)) {
    if (name === 'seriesIdleTimeout') continue
    const { traceFunction, step } = createApplication(options)
    for (let i = 0; i < 4; i++) step()
    const page = await traceFunction.metrics()
    await traceFunction.stop()
    const server = http.createServer((_, response) => {
      response.setHeader('Content-Type', traceFunction.contentType)
      response.end(page)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const target = `127.0.0.1:${server.address().port}`
    for (const processes of name === 'omitLabels' ? [1, 100, 1000, 10_000] : [1, 100, 1000]) {
      await measureServer(name, processes, target)
    }
    server.close()
    server.closeAllConnections()
  }
}

async function measureServer (name, processes, target) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fleet-'))
  const targets = Array.from({ length: processes }, (_, i) => ({ targets: [target], labels: { instance: `i${i}`, __metrics_path__: `/${i}` } }))
  fs.writeFileSync(path.join(folder, 'targets.json'), JSON.stringify(targets))
  const config = {
    global: { scrape_interval: `${STEP_S}s` },
    scrape_configs: [{ job_name: 'application', file_sd_configs: [{ files: ['targets.json'] }] }]
  }
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify(config))
  const child = spawn(commandOf('prometheus3'), [
    `--config.file=${path.join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${path.join(folder, 'data')}`, '--web.listen-address=127.0.0.1:19099'
  ], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  await sleep(5 * STEP_S * 1000)
  const text = await (await fetch('http://127.0.0.1:19099/metrics')).text()
  const value = (metric) => Number(new RegExp(`^${metric} (.+)$`, 'm').exec(text)?.[1])
  console.log(`${name}, ${processes} processes: ${value('prometheus_tsdb_head_series')} series, ` +
    `${(value('process_resident_memory_bytes') / 1e6).toFixed(0)} MB resident, ${(value('process_cpu_seconds_total') / (5 * STEP_S)).toFixed(2)} cores, ` +
    `${(value('prometheus_tsdb_head_samples_appended_total\\{type="float"\\}') / (5 * STEP_S)).toFixed(0)} samples a second`)
  child.kill('SIGKILL')
  await exited
  fs.rmSync(folder, { recursive: true })
}

async function main () {
  const chosen = process.argv.slice(2)
  if (chosen.length === 0 || chosen.includes('blocks')) await measureBlocks()
  if (chosen.length === 0 || chosen.includes('scrapes')) await measureScrapes()
}

main()
