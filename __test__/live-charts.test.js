'use strict'

// Tests the charts and the states of the live page in a real browser.

const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')

const { HYPERCORE, NO_ANSWER, call, isDimmed, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, state, text, until } = require('./live/browser')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')

describe('the charts and states of the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  test('the figure, the chart and the rows show the same mean, and the page says over which time', async (t) => {
    const application = await startApplication(t)
    await application.repeat(call('A', 'f'))
    const page = await open(t, browser, application.url)
    await until(page, () => document.getElementById('rate-window').innerText === '5 s mean')
    // One evaluation reads all of them, so that no summary arrives in between.
    const shown = await page.evaluate(() => [
      document.getElementById('rate-now').innerText,
      document.querySelector('#rows .rate').innerText,
      document.querySelector('#chart-calls svg').getAttribute('aria-label').match(/now (.*)\/s, /)[1],
      document.title.match(/^(.*)\/s · /)[1]
    ])
    assert.deepEqual(new Set(shown), new Set([shown[0]]))
    assert.match(shown[0], /^[345]\d/, 'about 50 a second')
    assert.equal(await page.locator('#rows .rate').getAttribute('title'), await text(page, 'rate-window'))
    assert.match(await text(page, 'cpu-window'), /^[4-6] s mean$/)
  })

  test('clicks add no points to the charts between two summaries', async (t) => {
    const application = await startHypercore(t)
    await application.repeat(call('Hypercore', 'get', { object: { id: 1 } }))
    const page = await open(t, browser, application.url)
    const points = () => page.$eval('#chart-calls .line', (line) => (line.getAttribute('d').match(/[ML]/g) ?? []).length)
    await until(page, () => document.querySelector('#chart-calls .line').getAttribute('d').includes('L'))
    const [before, start] = [await points(), Date.now()]
    for (let i = 0; i < 10; i++) {
      for (const view of ['Objects', 'Functions']) {
        const answered = page.waitForResponse(/summary\.json/)
        await page.getByRole('button', { name: view }).click()
        await answered
      }
    }
    const most = Math.ceil((Date.now() - start) / 500) + 1
    const added = await points() - before
    assert.ok(added <= most && most < 20, `${added} points from 20 clicks, at most ${most}`)
  })

  test('a restart of the process is shown as a restart, without negative rates', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url, { silence: NO_ANSWER })
    await application.repeat(call('Hypercore', 'get', { object: { id: 1 } }))
    await until(page, () => parseFloat(document.getElementById('rate-now').innerText) > 5)
    await page.evaluate(() => {
      window.negative = []
      new window.MutationObserver(() => {
        const shown = document.body.innerText
        if (/[-−]\d/.test(shown)) window.negative.push(shown)
      }).observe(document.body, { subtree: true, childList: true, characterData: true })
    })
    await application.end()
    await state(page, 'silent')
    assert.match(await text(page, 'banner-text'), /does not answer/)
    assert.match(await page.title(), /^No answer · 127\.0\.0\.1:\d+ · Hypertrace$/)
    assert.ok(await isDimmed(page))

    const successor = await startApplication(t, { port: application.port })
    await successor.count(3, call('Phoenix', 'rise'))
    await state(page, 'live')
    await until(page, () => document.querySelector('#rows tr')?.innerText.includes('Phoenix'))
    assert.equal(await isDimmed(page), false)
    assert.match(await text(page, 'note-text'), /^Counts restarted at 0 at /)
    assert.equal(await page.locator('#banner').isVisible(), false)
    assert.equal(await text(page, 'total'), '3')
    await until(page, () => document.getElementById('rate-now').innerText === '0')
    assert.match(await page.locator('#chart-calls .mark').getAttribute('d'), /^M/)
    assert.deepEqual(await page.evaluate(() => window.negative), [])
  })

  test('the page works while the event loop is blocked, and shows the block', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await application.block(6000)
    const positions = () => page.$$eval('#pause, #calls, #chart-calls', (elements) => elements.map((element) => element.getBoundingClientRect().top))
    const before = await positions()
    const late = await open(t, browser, application.url)
    for (const one of [page, late]) {
      await state(one, 'blocked')
      assert.match(await text(one, 'banner-text'), /event loop is blocked/)
      assert.match(await text(one, 'banner-time'), /^Blocked for [\d.]+ m?s$/)
      assert.equal((await rowsOf(one)).length, 3, 'the table is filled')
      assert.match(await one.title(), /^Blocked [\d.]+ m?s · /)
    }
    assert.deepEqual(await positions(), before, 'the message moves nothing')
    await until(page, () => /^[1-9].* s$/.test(document.getElementById('lag-now').innerText))
    await application.unblocked()
    for (const one of [page, late]) {
      await state(one, 'live')
      assert.equal(await one.locator('#banner').isVisible(), false)
    }
  })

  test('Pause stops the requests and Resume continues', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.getByRole('button', { name: 'Pause' }).click()
    await state(page, 'paused')
    assert.match(await page.title(), /^Paused · /)
    assert.match(await text(page, 'state'), /^Paused \d+:\d+/)
    assert.ok(await isDimmed(page))
    let requests = 0
    page.on('request', () => requests++)
    await application.count(100, HYPERCORE[0][1])
    await get({ port: application.port, path: '/summary.json' })
    assert.equal(await text(page, 'total'), '32')
    assert.equal(requests, 0)
    await page.getByRole('button', { name: 'Resume' }).click()
    await until(page, () => document.getElementById('total').innerText === '132')
    await until(page, () => document.querySelector('#chart-heap .line').getAttribute('d').match(/M/g).length === 2)
    assert.equal(await isDimmed(page), false)
  })

  test('while paused, a click still shows its rows, with one request', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.getByRole('button', { name: 'Pause' }).click()
    let requests = 0
    page.on('request', (request) => { if (request.url().includes('/summary.json')) requests++ })
    await page.getByRole('button', { name: 'Objects' }).click()
    await page.getByRole('columnheader', { name: 'Object', exact: true }).waitFor()
    assert.equal(await page.$eval('body', (body) => body.dataset.state), 'paused')
    await get({ port: application.port, path: '/summary.json' })
    assert.equal(requests, 1)
  })
})
