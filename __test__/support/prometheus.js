'use strict'

/*
 * A real Prometheus on the loopback interface, with a temporary folder, for one test. A test that uses it is
 * skipped if `lacks('prometheus')` of tools.js says so.
 */

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { commandOf } = require('./tools')
const { until } = require('./until')

const END_LIMIT_MS = 10_000

/**
 * @typedef {object} Job
 * @property {string} target host and port
 * @property {string} [path] of the page
 * @property {string} [interval]
 * @property {string} [timeout]
 * @property {object} [more] other settings of Prometheus for a job
 *
 * @typedef {{ metric: Record<string, string>, value: number }} Result
 */

/**
 * Starts a Prometheus that scrapes each job once a second, and ends it with its test.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, Job>} jobs by name
 * @param {{ rules?: string[], program?: 'prometheus' | 'prometheus3', options?: string[] }} [more] rules: files
 *   with recording and alerting rules; options: of the command line
 */
async function startPrometheus (t, jobs, { rules = [], program = 'prometheus', options = [] } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'prometheus-'))
  const config = path.join(folder, 'prometheus.yml')
  fs.writeFileSync(config, JSON.stringify(configuration(jobs, rules))) // JSON is valid YAML

  const child = spawn(commandOf(program), [
    `--config.file=${config}`,
    `--storage.tsdb.path=${path.join(folder, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
    ...options
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit').catch(() => {})
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { log += text })

  async function stop () {
    child.kill('SIGTERM')
    const limit = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS)
    await exited
    clearTimeout(limit)
    fs.rmSync(folder, { recursive: true, force: true })
  }
  t.after(stop)

  const url = await until(() => {
    assert.equal(child.exitCode, null, `Prometheus ended:\n${log}`)
    const listening = log.match(/msg="Listening on".* address=(127\.0\.0\.1:\d+)/)
    return listening && `http://${listening[1]}`
  }, 'Prometheus listens')
  await until(async () => (await fetch(`${url}/-/ready`)).ok, 'Prometheus is ready')

  /** @param {string} resource path below /api/v1 */
  async function api (resource) {
    const { status, data, error } = await (await fetch(`${url}/api/v1/${resource}`)).json()
    assert.equal(status, 'success', error)
    return data
  }

  return {
    url,
    api,
    stop,
    /** The log so far. */
    log: () => log,
    /**
     * Evaluates an expression, now or at a time in seconds.
     *
     * @param {string} expression
     * @param {number} [time]
     * @returns {Promise<Result[]>}
     */
    async query (expression, time) {
      const at = time === undefined ? '' : `&time=${time}`
      const { result } = await api(`query?query=${encodeURIComponent(expression)}${at}`)
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
    },
    /**
     * The single value of an expression; `undefined` while there is none.
     *
     * @param {string} expression
     * @returns {Promise<number | undefined>}
     */
    async value (expression) {
      const [first, ...rest] = await this.query(expression)
      assert.equal(rest.length, 0, `${expression} has more than one value`)
      return first?.value
    },
    /**
     * The state of a job's target; `health` is `up`, `down` or `unknown`.
     *
     * @param {string} job
     * @returns {Promise<{ health: string, lastError: string, lastScrape: string, lastScrapeDuration: number } | undefined>}
     */
    async target (job) {
      const { activeTargets } = await api('targets?state=active')
      return activeTargets.find(({ labels }) => labels.job === job)
    },
    /**
     * Waits until a job's target is up.
     *
     * @param {string} job
     */
    up (job) {
      return until(async () => (await this.target(job))?.health === 'up', `${job} is up`)
    }
  }
}

/**
 * @param {Record<string, Job>} jobs
 * @param {string[]} rules
 */
function configuration (jobs, rules) {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: rules.map((file) => path.resolve(file)),
    scrape_configs: Object.entries(jobs).map(([name, job]) => ({
      job_name: name,
      metrics_path: job.path ?? '/metrics',
      scrape_interval: job.interval ?? '1s',
      scrape_timeout: job.timeout ?? '1s',
      static_configs: [{ targets: [job.target] }],
      ...job.more
    }))
  }
}

module.exports = { startPrometheus }
