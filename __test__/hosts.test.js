'use strict'

// Tests the host names that requests may use, with a real browser, a real fetch and other clients.

const assert = require('node:assert/strict')
const os = require('node:os')
const { after, afterEach, before, describe, test } = require('node:test')

const { startBrowser } = require('./live/browser')
const { createExporters } = require('./support/exporters')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')

const { start, stopAll } = createExporters()
afterEach(stopAll)

const FOREIGN = 'evil.example'
const AUTH = { bearer: 'token' }
const PATHS = ['/metrics', '/', '/summary.json', '/history.json', '/live/page.js', '/nope']
// An address of this machine that is not a loopback address.
const OTHER = Object.values(os.networkInterfaces()).flat().find(({ internal, family }) => !internal && family === 'IPv4')?.address
const NO_OTHER = OTHER === undefined && 'this machine has loopback addresses only'

/** Starts a server. Returns its port, and a function that sends a GET and resolves to the status of the response. */
function serve (options) {
  const { port } = start({ port: 0, host: '127.0.0.1', ...options }).address()
  return {
    port,
    status: async (host, headers = {}, path = '/metrics') =>
      (await get({ port, path, host: '127.0.0.1', headers: { host, ...headers } })).status
  }
}

test('hosts: on a loopback address every request must name the server', async () => {
  const { port, status } = serve({ allowedHosts: ['app.example', 'fd00::1'] })
  const own = ['localhost', `localhost:${port}`, 'a.localhost', '127.0.0.1:1', `[::1]:${port}`, '192.168.1.5', '[fd00::2]:8',
    'host.docker.internal', os.hostname(), 'app.example:80', 'APP.EXAMPLE']
  for (const host of own) assert.equal(await status(host), 200, host)
  for (const host of [FOREIGN, `${FOREIGN}:${port}`, 'localhost.evil.example', 'sub.app.example']) {
    for (const path of PATHS) assert.equal(await status(host, {}, path), 403, host + path)
  }
})

test('hosts: the text of a 403 names the host and the option to set', async () => {
  const { port } = serve({})
  const { body } = await get({ port, host: '127.0.0.1', headers: { host: `Metrics.Example:${port}` } })
  assert.match(body, /^metrics\.example is not a host name of this server\./)
  const [, option] = body.match(/set the option (allowedHosts: \[.*\])\.\n$/)
  const second = serve(Function(`return { ${option} }`)()) // eslint-disable-line no-new-func
  assert.equal(await second.status('metrics.example'), 200)
})

test('hosts: with auth, programs may use any name and browsers may not', async () => {
  const { status } = serve({ auth: AUTH })
  const authorization = `Bearer ${AUTH.bearer}`
  for (const path of PATHS.slice(0, 4)) {
    assert.equal(await status(FOREIGN, { authorization }, path), 200)
    assert.equal(await status(FOREIGN, {}, path), 401)
    assert.equal(await status(FOREIGN, { authorization, 'sec-fetch-site': 'same-origin' }, path), 403)
  }
})

test('hosts: fetch of Node.js may use any name on an address that is not a loopback address', { skip: NO_OTHER }, async () => {
  const { port } = start({ port: 0, host: '0.0.0.0', auth: AUTH }).address()
  const headers = { authorization: `Bearer ${AUTH.bearer}` }
  assert.equal((await fetch(`http://${OTHER}:${port}/metrics`, { headers })).status, 200)
  assert.equal((await get({ port, host: OTHER, headers: { ...headers, host: 'app.example', 'sec-fetch-mode': 'cors', 'accept-language': '*' } })).status, 200)
})

describe('hosts: in a browser', { skip: lacks('chromium'), timeout: 120_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => {
    browser = await startBrowser(`--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1, MAP far.example ${OTHER ?? '127.0.0.1'}`)
  })
  after(() => browser?.close())

  /** Opens the live page under a host name, and resolves to the statuses that this page gets from the server. */
  async function readAs (name, port) {
    const context = await browser.newContext()
    try {
      const page = await context.newPage()
      const navigation = (await page.goto(`http://${name}:${port}/`)).status()
      const fetched = await page.evaluate((paths) => Promise.all(paths.flatMap((path) => [
        fetch(path).then(({ status }) => status),
        fetch(path, { referrerPolicy: 'no-referrer', credentials: 'omit' }).then(({ status }) => status)
      ])), ['/metrics', '/summary.json'])
      return [navigation, ...fetched]
    } finally {
      await context.close()
    }
  }

  test('a page under a foreign name that resolves to this machine reads nothing', async () => {
    const { port } = serve({})
    assert.deepEqual(await readAs(FOREIGN, port), [403, 403, 403, 403, 403])
    assert.deepEqual(await readAs('localhost', port), [200, 200, 200, 200, 200])
    assert.deepEqual(await readAs('127.0.0.1', port), [200, 200, 200, 200, 200])
  })

  test('a page under an allowed name reads the metrics', async () => {
    const { port } = serve({ allowedHosts: [FOREIGN] })
    assert.deepEqual(await readAs(FOREIGN, port), [200, 200, 200, 200, 200])
  })

  test('a page under a foreign name that resolves to another address of this machine reads nothing', { skip: NO_OTHER }, async () => {
    const { port } = start({ port: 0, host: '0.0.0.0' }).address()
    assert.deepEqual(await readAs('far.example', port), [403, 403, 403, 403, 403])
    assert.deepEqual(await readAs(OTHER, port), [200, 200, 200, 200, 200])
  })
})
