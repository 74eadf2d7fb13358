'use strict'

// Tests in a real browser: the map, the advice, queries as PromQL, and pages of servers with other options.

const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')

const { addressOf, call, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, state, text, until } = require('./live/browser')
const { createCertificates } = require('./support/certificates')
const { lacks } = require('./support/tools')

const child = (className, functionName, id, parent, parentId) => call(className, functionName, {
  object: { id }, parentObject: { className: parent, id: parentId, props: null }
})

describe('the map and the advice of the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  const nodes = (page) => page.$$eval('#map .node', (found) => found.map((node) => node.getAttribute('aria-label').replace(/: .*/, '')).sort())

  test('the map leads from classes to their objects, and a table has the same content', async (t) => {
    const application = await startApplication(t)
    await application.count(5, child('Peer', 'send', 1, 'Swarm', 1))
    await application.count(7, child('Peer', 'send', 2, 'Swarm', 1))
    await application.count(2, child('Swarm', 'join', 1, undefined, undefined))
    await application.count(3, child('Peer', 'fork', 3, 'Peer', 1))
    await application.steps(2)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.getByRole('button', { name: 'Map' }).click()
    await until(page, () => document.querySelectorAll('#map .node').length === 2)
    assert.deepEqual(await nodes(page), ['Peer', 'Swarm'])
    assert.equal(await page.locator('#map .edge').count(), 2, 'one from Swarm to Peer, one from Peer to itself')
    assert.match(await addressOf(page), /show=map/)
    const table = () => page.$$eval('#map-rows tr', (rows) => rows.map((row) => [0, 1, 3].map((i) => row.cells[i].textContent)))
    assert.deepEqual((await table()).sort(), [['Peer', 'Peer', '3'], ['Swarm', 'Peer', '12'], ['none', 'Swarm', '2']])

    await application.repeat(child('Peer', 'send', 1, 'Swarm', 1))
    await until(page, () => [...document.querySelectorAll('#map .edge-rate')].some((label) => parseFloat(label.textContent) > 20))
    await page.getByRole('button', { name: /^Peer: / }).focus()
    await page.keyboard.press('Enter')
    await until(page, () => document.querySelectorAll('#map .node').length === 4)
    assert.deepEqual(await nodes(page), ['Peer #1', 'Peer #2', 'Peer #3', 'Swarm #1'])
    await until(page, () => [...document.querySelectorAll('#map .node')].some((node) => /Peer #1: [234]/.test(node.getAttribute('aria-label'))))
    assert.equal((await table()).find(([, name]) => name === 'Peer #2')[2], '7')
    await page.reload()
    await until(page, () => document.querySelectorAll('#map .node').length === 4)
    await page.getByRole('button', { name: 'Remove filter: Class Peer' }).click()
    await until(page, () => document.querySelectorAll('#map .node').length === 2)
  })

  test('the map shows hostile names as text, and only the classes with the most calls', async (t) => {
    const application = await startApplication(t)
    await application.functions(100)
    await application.count(5, child('<img src=x onerror=alert(1)>', '__proto__', 1, '__proto__', 1))
    await application.steps(2)
    const page = await open(t, browser, application.url + '#?show=map')
    await until(page, () => document.querySelectorAll('#map .node').length === 40)
    assert.match(await text(page, 'rest'), /^62 more classes with fewer calls are not shown\.$/)
    assert.ok((await nodes(page)).includes('<img src=x onerror=alert(1)>'))
    assert.equal(await page.locator('#map img').count(), 0)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth))
  })

  test('a row is copied as PromQL, with the filters and the default labels', async (t) => {
    const application = await startHypercore(t, { defaultLabels: { env: 'test' } })
    const page = await open(t, browser, application.url + '#?object_classname=Hypercore', { permissions: ['clipboard-read', 'clipboard-write'] })
    await rowCount(page, 2)
    await page.getByRole('row', { name: /get/ }).getByRole('button', { name: 'PromQL' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'sum(rate(trace_counter{env="test",object_classname="Hypercore",caller_functionname="get"}[1m]))')
    assert.doesNotMatch(await addressOf(page), /caller_functionname/, 'the row was not opened')
  })

  test('advice names an id that changes and a class whose number of objects only grows, with the remedy', async (t) => {
    const application = await startApplication(t)
    await application.count(1, call('Worker', 'run'))
    await application.steps(1)
    for (let i = 1; i <= 60; i++) {
      await application.count(1, call('Worker', 'run', { id: `job-${i}` }))
      await application.count(1, call('Session', 'open', { object: { id: i } }))
    }
    await application.steps(2)
    const page = await open(t, browser, application.url)
    await until(page, () => document.querySelectorAll('#advice-list li').length === 2)
    const [changing, growing] = await page.locator('#advice-list li').allInnerTexts()
    assert.match(changing, /^The id of Worker\.run has a part that changes\n+It has 60 ids such as "job-1"/)
    assert.match(changing, /trace\("job", \{ n \}\)/)
    assert.match(growing, /^The objects of Session only grow in number\n+The counter has 60 of them/)
    assert.match(growing, /seriesIdleTimeout: 3_600_000/)
  })

  test('near the bound, advice names the class with the most series', async (t) => {
    const application = await startApplication(t, { maxSeries: 150 })
    for (let i = 1; i <= 100; i++) await application.count(1, call('Peer', 'send', { object: { id: i } }))
    await application.steps(2)
    const page = await open(t, browser, application.url)
    await until(page, () => document.querySelectorAll('#advice-list li').length > 0)
    assert.match(await text(page, 'advice-list'), /67 % of maxSeries are used|The objects of Peer only grow/)
    assert.match(await text(page, 'advice-list'), /Peer/)
  })

  test('without a recorder the page says so, and shows the table with rates', async (t) => {
    const application = await startHypercore(t, { history: 0 })
    const page = await open(t, browser, application.url, { silence: /404/ })
    await rowCount(page, 3)
    assert.match(await text(page, 'no-history'), /history: 0/)
    assert.equal(await page.locator('#chart-calls').isVisible(), false)
    await application.repeat(call('Peer', 'send', { id: 'wire' }))
    await until(page, () => parseFloat(document.querySelector('#rows .rate').innerText) > 20)
    await state(page, 'live')
    await page.getByRole('button', { name: 'Objects' }).click()
    await page.getByRole('columnheader', { name: 'Object', exact: true }).waitFor()
  })

  test('over TLS and with credentials the page works, and so does Save', { skip: lacks('openssl') }, async (t) => {
    const certificates = createCertificates()
    t.after(() => certificates.remove())
    const { cert, key } = certificates.server(certificates.authority('authority'))
    const application = await startHypercore(t, { tls: { cert, key }, auth: { username: 'me', password: 'secret' } })
    const page = await open(t, browser, application.url, { ignoreHTTPSErrors: true, httpCredentials: { username: 'me', password: 'secret' }, silence: /401|Failed to load/ })
    await rowCount(page, 3)
    await until(page, () => document.getElementById('state').dataset.state === 'live')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save' }).click()])
    assert.match(download.suggestedFilename(), /\.html$/)
    assert.equal((await rowsOf(page)).length, 3)
  })
})
