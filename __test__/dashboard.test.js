'use strict'

// Checks that grafana/dashboard.json can be imported, that each of its queries returns data from a real
// Prometheus that scrapes the hypercore example, and that promtool accepts the files of prometheus/.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')

const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const ROOT = path.join(__dirname, '..')
const RULES = ['recording.rules.yml', 'alerts.rules.yml'].map((name) => path.join(ROOT, 'prometheus', name))
const dashboard = JSON.parse(fs.readFileSync(path.join(ROOT, 'grafana', 'dashboard.json'), 'utf8'))
const panels = dashboard.panels.filter(({ type }) => type !== 'row')

/** All queries of the panels. */
const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))

/** Returns a query as Grafana sends it with all variables set to All. */
function expand (expr) {
  const values = { job: '.*', instance: '.*', class: '.*', __rate_interval: '10s', __range: '1m' }
  return expr.replace(/\$(\w+)/g, (variable, name) => {
    assert.ok(name in values, `${variable} in ${expr}`)
    return values[name]
  })
}

test('the dashboard can be imported', () => {
  assert.deepEqual(dashboard.__inputs.map(({ name, type, pluginId }) => ({ name, type, pluginId })), [
    { name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' }
  ])
  assert.equal(dashboard.id, null, 'a number would be the id of another dashboard')
  const ids = dashboard.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const required = dashboard.__requires.filter(({ type }) => type === 'panel').map(({ id }) => id)
  assert.deepEqual(required.sort(), [...new Set(panels.map(({ type }) => type))].sort())

  const sources = [...dashboard.templating.list, ...panels, ...panels.flatMap(({ targets }) => targets)]
  for (const { datasource } of sources) assert.deepEqual(datasource, { type: 'prometheus', uid: '$' + '{DS_PROMETHEUS}' })
})

test('the panels of the dashboard do not overlap', () => {
  const taken = new Map()
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    assert.ok(x + w <= 24, `${title} is within the grid`)
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        const cell = `${column},${row}`
        assert.equal(taken.get(cell), undefined, `${title} at ${cell}`)
        taken.set(cell, title)
      }
    }
  }
})

test('the dashboard has variables for job, instance and class, and the queries use them', () => {
  assert.deepEqual(dashboard.templating.list.map(({ name }) => name), ['job', 'instance', 'class'])
  for (const { title, expr } of queries) {
    assert.match(expr, /job=~"\$job", instance=~"\$instance"/, title)
    if (expr.includes('trace_counter')) assert.match(expr, /object_classname=~"\$class"/, title)
    assert.doesNotMatch(expr, /\[\d/, `${title}: a fixed range has no data at other scrape intervals`)
  }
})

test('each query of the dashboard and each recording rule returns data from a real Prometheus', { skip: lacks('prometheus'), timeout: 120_000 }, async (t) => {
  const example = startProgram(t, path.join(ROOT, 'examples', 'hypercore.js'), ['--port', '0', '--for', '100'])
  const [, port] = await example.line(/^Metrics: http:\/\/localhost:(\d+)\/metrics$/)
  const prometheus = await startPrometheus(t, { example: { target: `localhost:${port}` } }, { rules: RULES })
  await prometheus.up('example')

  assert.ok(queries.length >= 15, `${queries.length} queries`)
  for (const { title, expr } of queries) {
    await t.test(`${title}: ${expr}`, async () => {
      const found = await until(async () => {
        const results = await prometheus.query(expand(expr))
        return results.length > 0 && results
      }, 'data')
      for (const { value } of found) assert.ok(Number.isFinite(value), `${value}`)
    })
  }

  for (const { name, query: { query } } of dashboard.templating.list) {
    await t.test(`the variable ${name}: ${query}`, async () => {
      const [, selector, label] = expand(query).match(/^label_values\((.*), (\w+)\)$/)
      const series = await prometheus.api(`series?match[]=${encodeURIComponent(selector)}`)
      assert.ok(series.every((labels) => labels[label] !== undefined) && series.length > 0)
    })
  }

  const { groups } = await prometheus.api('rules')
  const rules = groups.flatMap((group) => group.rules)
  assert.equal(rules.length, 9)
  for (const { name } of rules.filter(({ type }) => type === 'recording')) {
    await t.test(`the rule ${name}`, async () => {
      await until(async () => (await prometheus.query(name)).length > 0, 'data')
      const [labels] = await prometheus.query(name)
      assert.ok(!('object_id' in labels.metric))
    })
  }
  for (const { name, health, lastError } of rules) assert.equal(health, 'ok', `${name}: ${lastError}`)
  assert.deepEqual((await prometheus.api('alerts')).alerts, [], 'no alert fires for the example')
})

/** Runs promtool, which must find no fault, and returns its output. */
function promtool (...args) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: path.join(ROOT, 'prometheus'), encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  return stdout
}

test('promtool accepts the configuration and the rules', { skip: lacks('promtool') }, () => {
  promtool('check', 'config', 'prometheus.yml')
  promtool('check', 'rules', ...RULES)
})

test('the rules pass their unit tests', { skip: lacks('promtool') }, () => {
  assert.match(promtool('test', 'rules', 'tests/rules.test.yml'), /SUCCESS/)
})
