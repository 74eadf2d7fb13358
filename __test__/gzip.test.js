'use strict'

/*
 * A page in gzip consists of ranges, most of which come from the cache of an earlier scrape. With any content of the cache, each
 * decoder must find one member that contains the page. The Rust tests cover the cache itself.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const http = require('node:http')
const test = require('node:test')
const zlib = require('node:zlib')

const HypertracePrometheus = require('..')
const { get } = require('./support/http')
const { payload } = require('./support/payload')
const { createRandom, seedOf } = require('./support/random')
const { lacks } = require('./support/tools')

const SERIES = 3000

/** Programs that print the text of one member, and fail on any other input. */
const PROGRAMS = {
  gzip: ['gzip', ['-dc']],
  python3: ['python3', ['-c', `
import sys, zlib
reader = zlib.decompressobj(wbits=31)
text = reader.decompress(sys.stdin.buffer.read()) + reader.flush()
assert reader.eof and not reader.unused_data
sys.stdout.buffer.write(text)`]]
}

/** @type {Record<string, { skip?: string | false, decode: (member: Buffer) => Buffer | Promise<Buffer> }>} */
const DECODERS = {
  'Node.js, at once': { decode: (member) => zlib.gunzipSync(member) },
  'Node.js, in small reads': { decode: inSmallReads }
}
for (const [name, [command, args]] of Object.entries(PROGRAMS)) DECODERS[name] = { skip: lacks(name), decode: (member) => run(command, args, member) }

function run (command, args, input) {
  const { status, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 1e9 })
  assert.equal(status, 0, String(stderr))
  return stdout
}

function inSmallReads (member) {
  return new Promise((resolve, reject) => {
    const chunks = []
    const gunzip = zlib.createGunzip({ chunkSize: 1024 })
    gunzip.on('data', (chunk) => chunks.push(chunk)).on('error', reject).on('end', () => resolve(Buffer.concat(chunks)))
    for (let from = 0; from < member.length; from += 777) gunzip.write(member.subarray(from, from + 777))
    gunzip.end()
  })
}

function getCompressed (port) {
  return new Promise((resolve, reject) => {
    const headers = { 'accept-encoding': 'gzip' }
    http.get({ host: 'localhost', port, path: '/metrics', agent: false, timeout: 20_000, headers }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks)))
      assert.equal(response.headers['content-encoding'], 'gzip')
    }).on('error', reject)
  })
}

for (const [name, { skip, decode }] of Object.entries(DECODERS)) {
  test(`a page in gzip is the plain page, with any content of the cache: ${name}`, { timeout: 60_000, skip }, async (t) => {
    const trace = start(t)
    const { port } = trace.address()
    const { below } = createRandom(seedOf(7))
    const count = (id) => trace(payload({ object: { id } }))
    for (let id = 1; id <= SERIES; id++) count(id)

    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < round; i++) count(1 + below(SERIES + 300))
      const member = await getCompressed(port)
      const text = await decode(member)
      assert.equal(text.toString(), (await get({ port })).body, `round ${round}`)
    }
  })
}

test('concurrent scrapers share the cache', { timeout: 60_000 }, async (t) => {
  const trace = start(t)
  const { port } = trace.address()
  for (let id = 1; id <= SERIES; id++) trace(payload({ object: { id } }))
  const members = await Promise.all(Array.from({ length: 8 }, () => getCompressed(port)))
  const { body } = await get({ port })
  for (const member of members) assert.equal(zlib.gunzipSync(member).toString(), body)
})

function start (t) {
  const trace = HypertracePrometheus({ port: 0, collectDefaults: false })
  t.after(() => trace.stop())
  return trace
}
