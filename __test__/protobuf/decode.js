'use strict'

/*
 * Decodes a page in the protobuf format into families as the parser of the text format returns them. Uses protobufjs, which shares
 * no code with this project. Rejects a page with a field that this project never writes.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const protobuf = require('protobufjs')

const { seriesKey } = require('../support/exposition')

const schema = protobuf.loadSync(path.join(__dirname, 'metrics.proto'))
const MetricFamily = schema.lookupType('io.prometheus.client.MetricFamily')
const types = schema.lookupEnum('io.prometheus.client.MetricType').valuesById

/**
 * @typedef {import('../support/exposition').Sample & { start?: number }} Sample start: in milliseconds since the epoch
 * @typedef {{ name: string, help: string, type: string, samples: Sample[] }} Family
 */

/**
 * @param {Buffer} page
 * @returns {Map<string, Family>}
 */
function decode (page) {
  const reader = protobuf.Reader.create(page)
  /** @type {Map<string, Family>} */
  const families = new Map()
  while (reader.pos < reader.len) {
    const family = toFamily(MetricFamily.decodeDelimited(reader))
    assert.ok(!families.has(family.name), `${family.name} occurs twice`)
    families.set(family.name, family)
  }
  return families
}

/** @returns {Family} */
function toFamily (message) {
  for (const field of ['name', 'help', 'type']) assert.ok(Object.hasOwn(message, field), `a family without ${field}`)
  const { name, help, metric } = message
  const type = types[message.type].toLowerCase()
  const samples = metric.flatMap((one) => {
    const labels = labelsOf(one)
    const fields = Object.keys(one).filter((field) => field !== 'label')
    assert.deepEqual(fields, [type], `${name}: ${JSON.stringify(one)}`)
    return type === 'histogram' ? histogramSamples(name, labels, one.histogram) : [sampleOf(name, labels, one[type])]
  })
  const keys = samples.map(seriesKey)
  assert.equal(new Set(keys).size, keys.length, `${name} has a series twice`)
  return { name, help, type, samples }
}

function labelsOf ({ label }) {
  const names = label.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length, `a label twice: ${names}`)
  for (const pair of label) assert.ok(Object.hasOwn(pair, 'name') && pair.value !== '', JSON.stringify(pair))
  return Object.fromEntries(label.map(({ name, value }) => [name, value]))
}

function sampleOf (name, labels, message) {
  assert.ok(Object.hasOwn(message, 'value'))
  const { value, startTimestamp } = message
  if (!startTimestamp) return { name, labels, value }
  const { seconds, nanos } = startTimestamp
  assert.ok(nanos >= 0 && nanos < 1e9, `${nanos} ns`)
  return { name, labels, value, start: Number(seconds) * 1000 + nanos / 1e6 }
}

/** Returns the samples of a histogram in the text format. In that format, the bucket `+Inf` is always present. */
function histogramSamples (name, labels, { sampleCount, sampleSum, bucket }) {
  const buckets = bucket.map(({ upperBound, cumulativeCount }) => [upperBound, Number(cumulativeCount)])
  if (buckets.at(-1)?.[0] !== Infinity) buckets.push([Infinity, Number(sampleCount)])
  return [
    ...buckets.map(([bound, value]) => ({ name: `${name}_bucket`, labels: { ...labels, le: bound === Infinity ? '+Inf' : String(bound) }, value })),
    { name: `${name}_sum`, labels, value: sampleSum },
    { name: `${name}_count`, labels, value: Number(sampleCount) }
  ]
}

module.exports = { decode }
