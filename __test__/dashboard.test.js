'use strict'

// Checks that grafana/dashboard.json can be imported, that each of its queries returns data from a real
// Prometheus that scrapes the hypercore example, and that promtool accepts the files of prometheus/.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')

const { FOLDER } = require('../scripts/ecosystem')
const { freePort } = require('./support/ports')
const { startProgram } = require('./support/program')
const { startPrometheus } = require('./support/prometheus')
const { lacks } = require('./support/tools')
const { until } = require('./support/until')

const ROOT = path.join(__dirname, '..')
/** For each kind of panel, the file that has its types. */
const PANELS = { stat: 'StatPanelCfg_types.gen', table: 'TablePanelCfg_types.gen', timeseries: 'TimeSeriesPanelCfg_types.gen' }
const RULES = ['recording.rules.yml', 'alerts.rules.yml'].map((name) => path.join(ROOT, 'prometheus', name))
const dashboard = JSON.parse(fs.readFileSync(path.join(ROOT, 'grafana', 'dashboard.json'), 'utf8'))
const panels = dashboard.panels.filter(({ type }) => type !== 'row')

/** All queries of the panels. */
const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))

/** Returns a query as Grafana sends it with all variables set to All. */
function expand (expr, job = '.*') {
  const values = { job, instance: '.*', class: '.*', __rate_interval: '10s', __range: '1m' }
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

test('the dashboard conforms to the published schema of Grafana', { skip: lacks('ecosystem') }, (t) => {
  const file = 'dashboard.ts'
  // This folder is inside the folder of the packages, so that the compiler finds the types.
  const folder = fs.mkdtempSync(path.join(FOLDER, 'dashboard-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const { __inputs, __elements, __requires, ...model } = dashboard // these fields are only for the import, and are not in the schema
  const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: 'preserve', moduleResolution: 'bundler', types: [] }
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const check = (source) => {
    fs.writeFileSync(path.join(folder, file), source)
    return spawnSync(process.execPath, [require.resolve('typescript-5/bin/tsc'), '--pretty', 'false'], { cwd: folder, encoding: 'utf8' }).stdout
  }
  assert.equal(check(schemaCheck(model, panels)), '')

  const wrong = structuredClone(panels)
  wrong[0].options.colorMode = 'values'
  assert.match(check(schemaCheck(model, wrong)), /Type '"values"' is not assignable/)
  assert.match(check(schemaCheck({ ...model, refresh: 15 }, panels)), /Type 'number' is not assignable/)
  assert.match(check(schemaCheck({ ...model, schema: 39 }, panels)), /'"schema"' does not exist/)
})

/**
 * Returns a program that compiles if a dashboard and its panels conform to the types of `@grafana/schema`. Their
 * enumerations are compared by their values.
 */
function schemaCheck (model, panels) {
  const types = [...new Set(panels.map(({ type }) => type))]
  return [
    "import type { Dashboard, Panel } from '@grafana/schema'",
    ...types.map((type) => `import type * as ${type} from '@grafana/schema/dist/esm/raw/composable/${type}/panelcfg/x/${PANELS[type]}'`),
    // `panels` has rows and panels, which the compiler cannot tell apart by a literal.
    'type Values<T> = T extends string ? `$' + '{T}` : T extends (infer E)[] ? Values<E>[] : T extends object ? { [K in keyof T]: Values<T[K]> } : T',
    `export const model: Values<Omit<Dashboard, 'panels'>> = ${JSON.stringify({ ...model, panels: undefined })}`,
    ...panels.map(({ options, fieldConfig, ...panel }, i) => [
      `export const panel${i}: Values<Omit<Panel, 'options' | 'fieldConfig'>> = ${JSON.stringify(panel)}`,
      `export const options${i}: Values<Partial<${panel.type}.Options>> = ${JSON.stringify(options)}`,
      panel.type === 'stat' ? '' : `export const custom${i}: Values<Partial<${panel.type}.FieldConfig>> = ${JSON.stringify(fieldConfig.defaults.custom ?? {})}`,
      `export const config${i}: Values<Panel['fieldConfig']> = ${JSON.stringify(fieldConfig)}`
    ].join('\n'))
  ].join('\n')
}

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

// Prometheus 3 if it is installed, as in CI.
const PROGRAM = lacks('prometheus3') === false ? 'prometheus3' : 'prometheus'

test('each query of the dashboard and each recording rule returns data from a real Prometheus', { skip: lacks(PROGRAM), timeout: 120_000 }, async (t) => {
  const example = startProgram(t, path.join(ROOT, 'examples', 'hypercore.js'), ['--port', '0', '--for', '100'])
  const [, port] = await example.line(/^Metrics: http:\/\/localhost:(\d+)\/metrics$/)
  const cluster = await freePort()
  startProgram(t, path.join(ROOT, 'examples', 'cluster.js'), ['--port', String(cluster), '--processes', '2'])
  const jobs = { example: { target: `localhost:${port}` }, cluster: { target: `localhost:${cluster}` } }
  const prometheus = await startPrometheus(t, jobs, { rules: RULES, program: PROGRAM })
  await Promise.all([prometheus.up('example'), prometheus.up('cluster')])

  assert.ok(queries.length >= 15, `${queries.length} queries`)
  for (const { title, expr } of queries) {
    await t.test(`${title}: ${expr}`, async () => {
      // The processes of the other example may not have collected any garbage yet.
      for (const job of expr.includes('nodejs_gc') ? ['example'] : ['example', 'cluster']) {
        const found = await until(async () => {
          const results = await prometheus.query(expand(expr, job))
          return results.length > 0 && results
        }, 'data')
        for (const { value } of found) assert.ok(Number.isFinite(value), `${value}`)
      }
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
  assert.equal(rules.length, 10)
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
