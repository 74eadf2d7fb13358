'use strict'

// Runs the programs in examples/.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const test = require('node:test')
const { until } = require('./support/until')

const EXAMPLES = path.join(__dirname, '..', 'examples')
const LIMIT = { timeout: 60_000 }
const isWindows = process.platform === 'win32'
const skip = isWindows && 'on Windows a signal ends a child at once, and its handlers do not run'

test('hypercore example: the page shows every trace that was made', LIMIT, async t => {
  const example = run(t, 'hypercore.js', ['--port', '0', '--for', '1', '--linger', '50'])
  const url = await addressOf(example)
  const [, made] = await example.line(/^Traces made: (\d+)$/)
  assert.ok(Number(made) > 100, `${made} traces`)

  const page = await (await fetch(`${url}metrics`)).text()
  assert.equal(sumOf(page), Number(made))
  for (const [label, value] of [
    ['object_classname', 'Hypercore'], ['object_classname', 'Peer'], ['parent_object_classname', 'Core'],
    ['id', 'append'], ['id', 'get'], ['id', 'send']
  ]) assert.ok(page.includes(`${label}="${value}"`), value)

  await interrupt(example)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`hypercore example: ${signal} during the work ends the example cleanly, and removes the storage`, { ...LIMIT, skip }, async t => {
    const example = run(t, 'hypercore.js', ['--port', '0'])
    await example.line(/^Ctrl-C ends this example\.$/)
    example.child.kill(signal)
    assert.deepEqual(await example.ended(), { code: 0, signal: null, stderr: '', left: [] })
  })
}

test('hypercore example: a Ctrl-C that the terminal and npm both send counts as one', { ...LIMIT, skip }, async t => {
  const example = run(t, 'hypercore.js', ['--port', '0'])
  await example.line(/^Ctrl-C ends this example\.$/)
  example.child.kill('SIGINT')
  example.child.kill('SIGINT')
  assert.deepEqual(await example.ended(), { code: 0, signal: null, stderr: '', left: [] })
})

test('hypercore example: the example ends by itself after the given time', LIMIT, async t => {
  const example = run(t, 'hypercore.js', ['--port', '0', '--for', '0.2'])
  assert.deepEqual(await example.ended(), { code: 0, signal: null, stderr: '', left: [] })
})

test('hypercore example: the message for a port in use says how to use another port', LIMIT, async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address()
  const example = run(t, 'hypercore.js', [], { PORT: String(port) })
  assert.deepEqual(await example.ended(), {
    code: 1,
    signal: null,
    stderr: `Port ${port} is in use by another program. Use another port: npm start -- --port ${port + 1}\n`,
    left: []
  })
})

test('hypercore example: wrong arguments are errors', LIMIT, async t => {
  const wrongTime = await run(t, 'hypercore.js', ['--for', 'ever']).ended()
  assert.equal(wrongTime.stderr, '--for must be a number of seconds, not ever\n')
  assert.equal(wrongTime.code, 1)
  const wrongPort = await run(t, 'hypercore.js', ['--port', '70000']).ended()
  assert.match(wrongPort.stderr, /^The value of the "port" option is out of range\..*\n$/)
  assert.equal(wrongPort.code, 1)
})

test('pool example: the page shows every job of every worker after the pool has ended', LIMIT, async t => {
  const example = run(t, 'pool.js', ['--port', '0', '--for', '0.5', '--threads', '3'])
  await addressOf(example)
  const [, jobs] = await example.line(/^Jobs done: (\d+)$/)
  assert.ok(Number(jobs) > 0, jobs)
  await example.line(new RegExp(`^  ask: ${jobs}$`))
  await example.line(new RegExp(`^  sort: ${jobs}$`))
  assert.deepEqual(await example.ended(), { code: 0, signal: null, stderr: '', left: [] })
})

test('pool example: the page shows each worker, and SIGINT ends the example cleanly', LIMIT, async t => {
  const example = run(t, 'pool.js', ['--port', '0', '--threads', '3'])
  const url = await addressOf(example)
  await example.line(/^Ctrl-C ends this example\.$/)
  await until(async () => {
    const page = await (await fetch(`${url}metrics`)).text()
    const workers = [...page.matchAll(/^nodejs_heap_size_used_bytes\{worker="(\d+)"\} \d+$/gm)].map(([, id]) => id)
    return new Set(workers).size === 3
  }, 'three workers are on the page')
  await interrupt(example)
})

test('pool example: a wrong number of threads is an error', LIMIT, async t => {
  const { code, stderr } = await run(t, 'pool.js', ['--port', '0', '--threads', 'abc']).ended()
  assert.deepEqual([code, stderr], [1, '--threads must be a whole number from 1 on, not abc\n'])
})

for (const [name, module] of [['app.cjs', 'some-module.cjs'], ['app.mjs', 'some-module.mjs']]) {
  test(`${name}: traces, serves and ends at Ctrl-C`, LIMIT, async t => {
    const app = run(t, name, [], { PORT: '0' })
    const url = await addressOf(app)
    const page = await (await fetch(`${url}metrics`)).text()
    const line = page.split('\n')[2]
    assert.match(line, /object_classname="SomeModule"/)
    assert.match(line, /object_props_someCustom="property"/)
    assert.ok(line.includes(`${module}"`), line)
    assert.match(line, /\} 1$/)
    await interrupt(app)
  })
}

/**
 * Returns the address of the live page. It is on the first line that an example prints, and the
 * address of the metrics is on the second.
 */
async function addressOf (example) {
  const first = await example.line(/^/)
  const [, url] = first.input.match(/^Live page: (http:\/\/localhost:\d+\/)$/) ?? assert.fail(first.input)
  await example.line(new RegExp(`^Metrics: ${url}metrics$`))
  const response = await fetch(url)
  assert.equal(response.status, 200)
  assert.match(await response.text(), /^<!doctype html>/)
  return url
}

/** Ends an example as Ctrl-C does, and checks that it ends cleanly. On Windows, its handler does not run. */
async function interrupt (example) {
  example.child.kill('SIGINT')
  const end = await example.ended()
  if (isWindows) assert.equal(end.signal, 'SIGINT')
  else assert.deepEqual(end, { code: 0, signal: null, stderr: '', left: [] })
}

/** Starts an example with an empty folder for its temporary files. */
function run (t, name, args, env) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'examples-'))
  const child = spawn(process.execPath, [path.join(EXAMPLES, name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PORT: '', ...env, TMPDIR: folder, TMP: folder, TEMP: folder }
  })
  t.after(() => {
    child.kill('SIGKILL')
    fs.rmSync(folder, { recursive: true, force: true })
  })

  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', data => { stderr += data })
  const lines = []
  const reader = readline.createInterface({ input: child.stdout })
  reader.on('line', line => lines.push(line))
  const closed = once(child, 'close')

  return {
    child,
    /** Resolves with the match of the first line of the output that has this form. */
    async line (pattern) {
      for (let i = 0; ; i++) {
        while (i >= lines.length) {
          const ended = await Promise.race([once(reader, 'line').then(() => false), closed])
          if (ended && i >= lines.length) throw new Error(`no line ${pattern}: ${lines.join('\n')}\n${stderr}`)
        }
        const match = lines[i].match(pattern)
        if (match !== null) return match
      }
    },
    /** Resolves with the exit code, the signal, the error output and the temporary files that remain. */
    async ended () {
      const [code, signal] = await closed
      return { code, signal, stderr, left: fs.readdirSync(folder) }
    }
  }
}

function sumOf (page) {
  const values = [...page.matchAll(/^trace_counter\{.*\} (\d+)$/gm)].map(([, value]) => Number(value))
  return values.reduce((sum, value) => sum + value, 0)
}
