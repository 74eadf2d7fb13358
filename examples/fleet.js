'use strict'

// Starts two applications, an agent that scrapes them, and a central Prometheus that receives the agent's samples. This example
// needs Prometheus 3:
//
//   node examples/fleet.js [--prometheus prometheus] [--central 9090] [--agent 9095] [--for seconds]
//
// Open http://localhost:9090/query and query `sum by (instance) (rate(trace_counter[1m]))`. Ctrl-C ends this example.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')

const HypertracePrometheus = require('hypertrace-prometheus')
const { setTraceFunction } = require('hypertrace')
const SomeModule = require('./some-module.cjs')

const { values } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'prometheus' },
    central: { type: 'string', default: '9090' },
    agent: { type: 'string', default: '9095' },
    for: { type: 'string', default: '3600' }
  }
})

// In this example, each exporter in this process is one application.
const applications = [1, 2].map(() => HypertracePrometheus({ port: 0, host: '127.0.0.1' }))
setTraceFunction((payload) => applications[payload.object.id % 2](payload))

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fleet-'))
const central = `http://localhost:${values.central}`

function start (name, port, config, options) {
  const file = path.join(folder, `${name}.yml`)
  fs.writeFileSync(file, JSON.stringify({ global: { scrape_interval: '1s' }, ...config })) // JSON is YAML
  const child = spawn(values.prometheus, [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`, ...options], { stdio: 'ignore' })
  child.once('error', (error) => { console.error(`Cannot start Prometheus: ${error.message}`) })
  return child
}

const servers = [
  start('central', values.central, {}, [`--storage.tsdb.path=${folder}/central`, '--web.enable-remote-write-receiver']),
  start('agent', values.agent, {
    scrape_configs: [{
      job_name: 'application',
      static_configs: [{ targets: applications.map((application) => `127.0.0.1:${application.address().port}`) }]
    }],
    remote_write: [{ url: `${central}/api/v1/write` }]
  }, ['--agent', `--storage.agent.path=${folder}/agent`])
]

async function callsOf (server) {
  const response = await fetch(`${server}/api/v1/query?query=${encodeURIComponent('sum(trace_counter)')}`)
  const { data } = await response.json()
  return Number(data.result[0]?.value[1] ?? 0)
}

async function main () {
  console.log(`Central: ${central}/query`)
  let calls = 0
  const timer = setInterval(() => {
    new SomeModule().get()
    calls++
  }, 100)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  await sleep(Number(values.for) * 1000, undefined, { signal: interrupted.signal }).catch(() => {})
  clearInterval(timer)

  // The agent must still scrape the last calls and send them.
  let arrived = 0
  for (let second = 0; second < 20 && arrived !== calls; second++) {
    await sleep(1000)
    arrived = await callsOf(central).catch(() => 0)
  }
  console.log(`Calls: ${calls}; in the central server: ${arrived}`)
  // The agent ends first. If the central server ended first, the agent would wait for it.
  for (const server of servers.reverse()) {
    server.kill()
    await once(server, 'exit')
  }
  await Promise.all(applications.map((application) => application.stop()))
  fs.rmSync(folder, { recursive: true })
}

main()
