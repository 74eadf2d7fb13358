'use strict'

// The packages that an application uses together with this one, each at a fixed version, so that every run
// tests the same versions. `node scripts/ecosystem.js` installs them (about 440 MB) into target/ecosystem, where
// the tests look for them.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const FOLDER = path.join(path.dirname(__dirname), 'target', 'ecosystem')

/** @type {Record<string, string>} */
const ECOSYSTEM = {
  '@grafana/schema': '13.2.3',
  '@kubernetes-models/prometheus-operator': '6.0.0',
  '@nestjs/common': '12.5.1',
  '@nestjs/core': '12.5.1',
  '@nestjs/platform-express': '12.5.1',
  '@opentelemetry/api': '1.9.1',
  '@opentelemetry/exporter-metrics-otlp-proto': '0.223.0',
  '@opentelemetry/exporter-prometheus': '0.223.0',
  '@opentelemetry/resources': '2.12.0',
  '@opentelemetry/sdk-metrics': '2.12.0',
  '@willsoto/nestjs-prometheus': '6.1.1',
  'bare-prom-client': '15.1.6',
  corestore: '7.12.5',
  'dht-prom-alias-rpc': '2.1.0',
  'dht-prom-client': '2.1.0',
  express: '5.3.0',
  fastify: '5.12.8',
  'hyper-instrument': '3.2.1',
  'hypercore-stats': '2.5.1',
  hyperdht: '6.34.0',
  'hyperdht-stats': '1.11.0',
  hyperswarm: '4.17.2',
  'hyperswarm-stats': '1.3.1',
  hypertele: '1.1.4',
  'js-yaml': '5.5.0',
  'prom-client': '15.1.3',
  'protomux-rpc-client': '2.4.0',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2'
}

/** The last version of bare-type that works with the Bare that scripts/runtimes.js installs. */
const OVERRIDES = { 'bare-type': '1.1.1' }

const MANIFEST = JSON.stringify({ private: true, dependencies: ECOSYSTEM, overrides: OVERRIDES }, null, 2) + '\n'

/** Returns whether every package is installed at its version. */
function hasEcosystem () {
  const file = path.join(FOLDER, 'package.json')
  return fs.existsSync(file) && fs.readFileSync(file, 'utf8') === MANIFEST &&
    Object.entries(ECOSYSTEM).every(([name, version]) => versionOf(name) === version)
}

/** @param {string} name */
function versionOf (name) {
  const file = path.join(FOLDER, 'node_modules', name, 'package.json')
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined
}

function install () {
  if (hasEcosystem()) return 0
  fs.mkdirSync(FOLDER, { recursive: true })
  fs.writeFileSync(path.join(FOLDER, 'package.json'), MANIFEST)
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit', shell: process.platform === 'win32' })
  return status ?? 1
}

module.exports = { ECOSYSTEM, FOLDER, hasEcosystem }

if (require.main === module) process.exitCode = install()
