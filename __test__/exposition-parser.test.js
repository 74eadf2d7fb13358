'use strict'

const test = require('node:test')
const assert = require('node:assert/strict')
const { Registry, Counter, Gauge, Histogram, Summary } = require('prom-client')
const { parse, seriesKey, shape, valueOf } = require('./support/exposition')

const HEAD = '# HELP a b\n# TYPE a gauge\n'
const HISTOGRAM = '# HELP h b\n# TYPE h histogram\n'

test('parses families, escapes and values in the order of the page', () => {
  const families = parse(
    '# HELP z two\\nlines and a \\\\ and "quotes"\n# TYPE z counter\n' +
    'z{a="q\\"b\\\\c\\nd",__proto__="{=,}"} 3\nz 1e+21\n' +
    '# HELP a \n# TYPE a gauge\na NaN\na{x="1"} +Inf\na{x="2"} -Inf\na{x="3"} -0.5\n'
  )
  assert.deepEqual([...families.keys()], ['z', 'a'])
  const z = families.get('z')
  assert.equal(z.help, 'two\nlines and a \\ and "quotes"')
  assert.equal(z.type, 'counter')
  assert.deepEqual(Object.entries(z.samples[0].labels), [['a', 'q"b\\c\nd'], ['__proto__', '{=,}']])
  assert.deepEqual(z.samples.map((s) => s.value), [3, 1e21])
  assert.deepEqual(families.get('a').samples.map((s) => s.value), [NaN, Infinity, -Infinity, -0.5])
})

test('parses a family without samples', () => {
  assert.deepEqual(parse(HEAD).get('a'), { name: 'a', help: 'b', type: 'gauge', samples: [] })
  assert.equal(parse('').size, 0)
})

test('finds a value by name and labels in any order', () => {
  const families = parse(HEAD + 'a{x="1",y="2"} 7\na 0\n')
  assert.equal(valueOf(families, 'a', { y: '2', x: '1' }), 7)
  assert.equal(valueOf(families, 'a'), 0)
  assert.equal(valueOf(families, 'a', { x: '1' }), undefined)
  assert.deepEqual(shape(families.get('a')), { help: 'b', type: 'gauge', labelNames: ['x', 'y'] })
})

test('treats an empty label value as an absent label', () => {
  const text = HEAD + 'a{x=""} 1\na 2\n'
  assert.equal(seriesKey({ name: 'a', labels: { x: '' } }), seriesKey({ name: 'a', labels: {} }))
  assert.throws(() => parse(text), /duplicate series/)
  assert.equal(parse(text, { allowDuplicates: true }).get('a').samples.length, 2)
})

test('parses the page of prom-client', async () => {
  const registers = [new Registry()]
  new Counter({ name: 'c', help: 'a\\b\nc', labelNames: ['l'], registers }).inc({ l: 'x"\\\n' }, 2)
  new Gauge({ name: 'g', help: 'g', registers }).set(NaN)
  const histogram = new Histogram({ name: 'h', help: 'h', buckets: [0.1, 1], labelNames: ['l'], registers })
  histogram.observe({ l: 'a' }, 0.5)
  new Summary({ name: 's', help: 's', percentiles: [0.5], registers }).observe(3)

  const families = parse(await registers[0].metrics())

  assert.deepEqual([...families.values()].map((f) => f.type), ['counter', 'gauge', 'histogram', 'summary'])
  assert.equal(families.get('c').help, 'a\\b\nc')
  assert.equal(valueOf(families, 'c', { l: 'x"\\\n' }), 2)
  assert.equal(valueOf(families, 'h_bucket', { l: 'a', le: '+Inf' }), 1)
  assert.equal(valueOf(families, 's', { quantile: '0.5' }), 3)
})

const rejected = {
  'no final line feed': [HEAD + 'a 1', /line feed/],
  'a lone surrogate': [HEAD + 'a{x="\ud800"} 1\n', /surrogate/],
  'bytes that are not UTF-8': [Buffer.from([...Buffer.from(HEAD), 0x61, 0x20, 0xff, 0x0a]), /encod/],
  'a second group': [HEAD + '# HELP b b\n# TYPE b gauge\nb 1\n' + HEAD, /line 6: a second group/],
  'a second HELP': ['# HELP a b\n' + HEAD, /second HELP/],
  'a second TYPE': [HEAD + '# TYPE a gauge\n', /second TYPE/],
  'TYPE after samples': ['# HELP a b\n# TYPE a gauge\na 1\n# TYPE a gauge\n', /after samples/],
  'no HELP': ['# TYPE a gauge\na 1\n', /before its HELP/],
  'no TYPE': ['# HELP a b\n', /lacks HELP or TYPE/],
  'an unknown type': ['# HELP a b\n# TYPE a gauge\r\n', /unknown type/],
  'another comment': ['# EOF\n', /neither/],
  'a sample of another family': [HEAD + 'ab 1\n', /does not belong to a/],
  'the same series twice': [HEAD + 'a{x="1",y="2"} 1\na{y="2",x="1"} 1\n', /duplicate series/],
  'the same label twice': [HEAD + 'a{x="1",x="2"} 1\n', /twice/],
  'a bad label name': [HEAD + 'a{1x="1"} 1\n', /bad label name/],
  'a bad metric name': [HEAD + '1a 1\n', /bad metric name/],
  'empty braces': [HEAD + 'a{} 1\n', /bad label name/],
  'a trailing comma': [HEAD + 'a{x="1",} 1\n', /bad label name/],
  'an unescaped quote': [HEAD + 'a{x="1"2"} 1\n', /expected , or }/],
  'an open value': [HEAD + 'a{x="1\\"} 1\n', /is not terminated/],
  'a bad escape in a value': [HEAD + 'a{x="\\t"} 1\n', /bad escape/],
  'a quote escaped in HELP': ['# HELP a \\"\n# TYPE a gauge\n', /bad escape/],
  'no value': [HEAD + 'a{x="1"}\n', /expected a space/],
  'a carriage return': [HEAD + 'a 1\r\n', /bad value/],
  'a time stamp': [HEAD + 'a 1 1700000000000\n', /bad value/],
  'a JavaScript infinity': [HEAD + 'a Infinity\n', /bad value/],
  'a histogram without +Inf': [HISTOGRAM + 'h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n', /\+Inf bucket/],
  'a histogram without _sum': [HISTOGRAM + 'h_bucket{le="+Inf"} 1\nh_count 1\n', /lacks _sum/],
  'buckets out of order': [HISTOGRAM + 'h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n', /out of order/],
  'buckets not cumulative': [HISTOGRAM + 'h_bucket{le="2"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n', /not cumulative/],
  'a _count that differs': [HISTOGRAM + 'h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n', /differ/],
  'a bare histogram sample': [HISTOGRAM + 'h 1\n', /does not belong/]
}

for (const [fault, [page, message]] of Object.entries(rejected)) {
  test(`rejects ${fault}`, () => assert.throws(() => parse(page), message))
}
