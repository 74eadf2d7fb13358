'use strict'

/**
 * A strict parser of the text exposition format 0.0.4, for tests only.
 *
 * It rejects more than Prometheus does: syntax that this package never writes (a family without HELP or TYPE, a
 * family in two groups, a timestamp, a trailing comma, two spaces) is an error. The message of an error in a line has
 * the number of the line. The parser shares no code with the writer that it tests.
 */

/** @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample */
/** @typedef {{ name: string, help: string, type: string, samples: Sample[] }} Family */

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*/
const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) ?(.*)$/s
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/
const LONE_SURROGATE = /\p{Surrogate}/u
const SUFFIXES = {
  counter: [''],
  gauge: [''],
  untyped: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count']
}

/**
 * Parses a page, and throws if the page is not valid.
 *
 * @param {string | Uint8Array} page
 * @param {{ allowDuplicates?: boolean }} [opts] allowDuplicates: accept a label set that occurs twice
 *   (prom-client writes a series with `x=""` and another one without `x`, which Prometheus treats as one series)
 * @returns {Map<string, Family>} the families by name, in the order of the page
 */
function parse (page, opts = {}) {
  const text = typeof page === 'string' ? page : new TextDecoder('utf-8', { fatal: true }).decode(page)
  /** @type {Map<string, Family>} */
  const families = new Map()
  const seen = new Set()
  /** @type {{ name: string, help: string | null, type: string | null, samples: Sample[] } | null} */
  let family = null

  if (text === '') return families
  if (!text.endsWith('\n')) throw new SyntaxError('the page does not end with a line feed')
  if (LONE_SURROGATE.test(text)) throw new SyntaxError('the page has a lone surrogate')

  const lines = text.split('\n')
  lines.pop()

  for (let i = 0; i < lines.length; i++) {
    try {
      readLine(lines[i])
    } catch (err) {
      throw new SyntaxError(`line ${i + 1}: ${/** @type {Error} */ (err).message}: ${lines[i].slice(0, 200)}`)
    }
  }
  close()
  return families

  /** @param {string} line */
  function readLine (line) {
    if (line === '') return // prom-client separates families with an empty line
    if (line[0] === '#') readComment(line)
    else readSample(line)
  }

  /** @param {string} line */
  function readComment (line) {
    const match = COMMENT.exec(line)
    if (!match) throw new Error('the comment is neither HELP nor TYPE')
    const [, keyword, name, rest] = match
    if (family === null || family.name !== name) {
      close()
      if (families.has(name)) throw new Error('a second group of this family')
      family = { name, help: null, type: null, samples: [] }
    }
    if (family.samples.length > 0) throw new Error(`${keyword} after samples`)
    if (keyword === 'HELP') {
      if (family.help !== null) throw new Error('a second HELP')
      family.help = unescape(rest, 'n\\')
    } else {
      if (family.type !== null) throw new Error('a second TYPE')
      if (!Object.hasOwn(SUFFIXES, rest)) throw new Error('unknown type')
      family.type = rest
    }
  }

  /** @param {string} line */
  function readSample (line) {
    const sample = parseSample(line)
    if (family === null || family.type === null || family.help === null) {
      throw new Error('a sample before its HELP and TYPE')
    }
    const base = family.name
    const suffix = SUFFIXES[/** @type {keyof typeof SUFFIXES} */ (family.type)]
      .find((suffix) => base + suffix === sample.name)
    if (suffix === undefined) throw new Error(`the sample does not belong to ${base}`)
    if (family.type === 'histogram' && ('le' in sample.labels) !== (suffix === '_bucket')) {
      throw new Error('buckets must have the label le, other samples must not')
    }
    if (family.type === 'summary' && ('quantile' in sample.labels) !== (suffix === '')) {
      throw new Error('quantiles must have the label quantile, other samples must not')
    }
    const key = seriesKey(sample)
    if (seen.has(key) && !opts.allowDuplicates) throw new Error('duplicate series')
    seen.add(key)
    family.samples.push(sample)
  }

  function close () {
    if (family === null) return
    const { name, help, type, samples } = family
    if (help === null || type === null) throw new SyntaxError(`${name} lacks HELP or TYPE`)
    if (type === 'histogram') checkHistogram(name, samples)
    families.set(name, { name, help, type, samples })
    family = null
  }
}

/**
 * @param {string} line
 * @returns {Sample}
 */
function parseSample (line) {
  const name = METRIC_NAME.exec(line)?.[0]
  if (name === undefined) throw new Error('bad metric name')
  let at = name.length
  /** @type {Map<string, string>} */
  const labels = new Map()

  if (line[at] === '{') {
    do {
      at++
      const label = LABEL_NAME.exec(line.slice(at, at + 1024))?.[0]
      if (label === undefined) throw new Error('bad label name')
      if (labels.has(label)) throw new Error(`label ${label} occurs twice`)
      at += label.length
      if (line[at] !== '=' || line[at + 1] !== '"') throw new Error(`no quoted value for ${label}`)
      const start = at + 2
      for (at = start; line[at] !== '"'; at++) {
        if (at >= line.length) throw new Error(`the value of ${label} is not terminated`)
        if (line[at] === '\\') at++
      }
      labels.set(label, unescape(line.slice(start, at), 'n\\"'))
      at++
    } while (line[at] === ',')
    if (line[at] !== '}') throw new Error('expected , or }')
    at++
  }

  if (line[at] !== ' ') throw new Error('expected a space before the value')
  return { name, labels: Object.fromEntries(labels), value: parseValue(line.slice(at + 1)) }
}

/** @param {string} text */
function parseValue (text) {
  if (text === '+Inf') return Infinity
  if (text === '-Inf') return -Infinity
  // Prometheus accepts any case, and prom-client 15 writes `Nan`.
  if (/^nan$/i.test(text)) return NaN
  if (!NUMBER.test(text)) throw new Error('bad value')
  return Number(text)
}

/**
 * @param {string} text
 * @param {string} allowed the characters that may follow a backslash
 */
function unescape (text, allowed) {
  return text.replace(/\\(.?)/gs, (_, char) => {
    if (char === '' || !allowed.includes(char)) throw new Error(`bad escape \\${char}`)
    return char === 'n' ? '\n' : char
  })
}

/**
 * @param {string} name
 * @param {Sample[]} samples
 */
function checkHistogram (name, samples) {
  /** @type {Map<string, { buckets: Array<[number, number]>, sum?: number, count?: number }>} */
  const groups = new Map()
  for (const sample of samples) {
    const { le, ...labels } = sample.labels
    const key = seriesKey({ name, labels })
    const group = groups.get(key) ?? { buckets: [] }
    groups.set(key, group)
    if (sample.name === name + '_bucket') group.buckets.push([parseValue(le), sample.value])
    else if (sample.name === name + '_sum') group.sum = sample.value
    else group.count = sample.value
  }
  for (const [key, { buckets, sum, count }] of groups) {
    if (sum === undefined || count === undefined) throw new SyntaxError(`${key} lacks _sum or _count`)
    for (let i = 1; i < buckets.length; i++) {
      if (!(buckets[i][0] > buckets[i - 1][0])) throw new SyntaxError(`${key}: buckets out of order`)
      if (!(buckets[i][1] >= buckets[i - 1][1])) throw new SyntaxError(`${key}: buckets not cumulative`)
    }
    const last = buckets.at(-1)
    if (last === undefined || last[0] !== Infinity) throw new SyntaxError(`${key} lacks the +Inf bucket`)
    if (last[1] !== count) throw new SyntaxError(`${key}: +Inf bucket and _count differ`)
  }
}

/**
 * Returns the key of a series. The order of the labels does not change it, and an empty value equals an absent label,
 * as in Prometheus.
 *
 * @param {{ name: string, labels: Record<string, string> }} sample
 */
function seriesKey ({ name, labels }) {
  const pairs = Object.entries(labels).filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1))
  return name + JSON.stringify(pairs)
}

/**
 * Returns the help, the type and the label names (without `le` and `quantile`) of a family. Dashboards depend on them.
 *
 * @param {Family} family
 */
function shape ({ help, type, samples }) {
  const labelNames = new Set(samples.flatMap(({ labels }) => Object.keys(labels)))
  labelNames.delete('le')
  labelNames.delete('quantile')
  return { help, type, labelNames: [...labelNames].sort() }
}

/**
 * Returns the value of the sample with this name and exactly these labels, or `undefined` if there is none.
 *
 * @param {Map<string, Family>} families
 * @param {string} name
 * @param {Record<string, string>} [labels]
 */
function valueOf (families, name, labels = {}) {
  const key = seriesKey({ name, labels })
  for (const { samples } of families.values()) {
    const found = samples.find((sample) => seriesKey(sample) === key)
    if (found) return found.value
  }
  return undefined
}

module.exports = { parse, seriesKey, shape, valueOf }
