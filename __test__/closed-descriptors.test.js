'use strict'

// Tests a server whose descriptors the application has closed: stop() resolves, and the process continues.

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')

const { startProgram } = require('./support/program')

const PROGRAM = path.join(__dirname, 'server', 'closed-descriptors.js')
const skip = process.platform !== 'linux' && 'only Linux lists the descriptors of a process'

for (const kind of ['eventpoll', 'eventfd', 'socket', 'all']) {
  test(`closed descriptors: ${kind}`, { skip, timeout: 60_000 }, async (t) => {
    const program = startProgram(t, PROGRAM, [kind])
    const { code, stderr } = await program.ended()
    // The standard library of Rust aborts in debug builds of the addon.
    if (stderr.includes('IO Safety violation')) return t.skip('a debug build')
    assert.equal(code, 0, stderr)
    assert.match(program.lines.map(({ text }) => text).join(), /^200,closed [1-9],stopped$/)
    const lines = stderr.split('\n').filter((line) => line !== '')
    assert.ok(lines.every((line) => line.startsWith('hypertrace-prometheus: ')), stderr)
  })
}
