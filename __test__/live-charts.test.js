'use strict'

// Tests the charts and the states of the live page in a real browser.

const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')

const { HYPERCORE, NO_ANSWER, call, isDimmed, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, state, text, until } = require('./live/browser')
const { version } = require('../package.json')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')

describe('the charts and states of the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  /** Returns the highest value that the chart of the calls shows. */
  const highest = async (page) => Number((await page.locator('#chart-calls').getAttribute('aria-label')).match(/highest ([\d.,]+)\/s/)[1].replaceAll(',', ''))

  test('the figure, the chart and the rows show the same mean, and each says over which time', async (t) => {
    const application = await startApplication(t)
    await application.repeat(call('A', 'f'))
    const page = await open(t, browser, application.url)
    await until(page, () => parseFloat(document.getElementById('rate-now').innerText) > 30)
    // One evaluation reads all figures, so that no answer arrives in between.
    const shown = await page.evaluate(() => [
      document.getElementById('rate-now').innerText,
      document.querySelector('#rows .rate').innerText,
      document.querySelector('#chart-calls').getAttribute('aria-label').match(/now (.*)\/s, /)[1],
      document.title.match(/^(.*)\/s · /)[1]
    ])
    assert.deepEqual(new Set(shown), new Set([shown[0]]))
    const units = await page.evaluate(() => [document.getElementById('rate-window').innerText, document.querySelector('#head .rate .unit').innerText])
    assert.deepEqual(units, ['1 s mean', '1 s mean'])
    assert.equal(await text(page, 'cpu-window'), '1 s mean, of one core')
    assert.equal(await page.locator('#head .value .unit').innerText(), 'since start')
  })

  test('the chart has the recorded calls when the page opens, after a reload, and after a click on a tab', async (t) => {
    const application = await startHypercore(t)
    await application.count(5000, call('Burst', 'once'))
    await application.steps(2)
    const page = await open(t, browser, application.url)
    await rowCount(page, 4)
    assert.ok(await highest(page) >= 5000, 'the chart has the burst, which was before the page was opened')
    const drawn = () => page.$eval('#rows tr .spark .line', (line) => line.getAttribute('d'))
    assert.match(await drawn(), /L/, 'the trend of the row has the burst too')
    for (const view of ['Objects', 'Functions']) {
      await page.getByRole('button', { name: view }).click()
      await page.getByRole('columnheader', { name: view === 'Objects' ? 'Object' : 'Function', exact: true }).waitFor()
      assert.ok(await highest(page) >= 5000, view)
    }
    await page.reload()
    await rowCount(page, 4)
    assert.ok(await highest(page) >= 5000, 'after a reload')
  })

  test('the chart emphasises the row that is under the pointer or has the focus', async (t) => {
    const application = await startHypercore(t)
    for (const name of ['A', 'B']) await application.count(1000, call(name, 'f'))
    await application.steps(2)
    const page = await open(t, browser, application.url)
    await rowCount(page, 5)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.mouse.move(0, 0)
    const picture = () => page.$eval('#chart-calls canvas', (canvas) => canvas.toDataURL())
    const frames = () => page.evaluate(() => new Promise((resolve) => window.requestAnimationFrame(() => window.requestAnimationFrame(resolve))))
    await frames()
    const plain = await picture()
    await page.getByRole('row', { name: /^A f/ }).hover()
    await frames()
    const emphasised = await picture()
    assert.notEqual(emphasised, plain)
    await page.mouse.move(0, 0)
    await frames()
    assert.equal(await picture(), plain)
    await page.getByRole('row', { name: /^A f/ }).getByRole('button').first().focus()
    await frames()
    assert.equal(await picture(), emphasised)
    assert.equal(new Set(await page.$$eval('#rows .swatch', (marks) => marks.map((mark) => mark.dataset.colour))).size, 5, 'each row has its colour')
  })

  test('the page shows the name and the facts of the process', async (t) => {
    const application = await startApplication(t, { defaultLabels: { env: 'test', region: '<b>' } })
    await application.count(1, call('A', 'f'))
    const page = await open(t, browser, application.url)
    await rowCount(page, 1)
    assert.equal(await text(page, 'process-name'), 'application.js')
    const facts = await page.locator('#process-facts li').allInnerTexts()
    assert.match(facts[0], /^pid \d+$/)
    assert.deepEqual(facts.slice(1), [`Node.js ${process.versions.node}`, `hypertrace-prometheus ${version}`, '1 thread', 'env="test"', 'region="<b>"'])
    await until(page, () => / · application\.js · Hypertrace$/.test(document.title))
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
    assert.match(await page.title(), /^No answer · application\.js · Hypertrace$/)
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
    assert.ok(await highest(page) > 5, 'the recording of the earlier process is still drawn')
    assert.deepEqual(await page.evaluate(() => window.negative), [])
  })

  test('the page works while the event loop is blocked, and says what is called', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const positions = () => page.$$eval('#pause, #chart-calls', (elements) => elements.map((element) => element.getBoundingClientRect().top))
    const before = await positions()
    await application.spin(6000, call('Worker', 'crunch'))
    const late = await open(t, browser, application.url)
    for (const one of [page, late]) {
      await state(one, 'blocked')
      await until(one, () => /^The event loop is blocked: Worker\.crunch was called [\d,]+ times since\.$/.test(document.getElementById('banner-text').innerText))
      assert.match(await text(one, 'banner-time'), /^Blocked for [\d.]+ m?s$/)
      assert.match(await one.title(), /^Blocked [\d.]+ m?s · /)
    }
    assert.deepEqual(await positions(), before, 'the message does not move the rest of the page')
    await application.spun()
    for (const one of [page, late]) {
      await state(one, 'live')
      assert.equal(await one.locator('#banner').isVisible(), false)
    }
  })

  test('a block of 3 s while no page was open is in the list, with the function that was called', async (t) => {
    const application = await startHypercore(t)
    await application.steps(1)
    await application.spin(3000, call('Worker', 'crunch'))
    const times = await application.spun()
    await application.steps(2)
    const page = await open(t, browser, application.url)
    const stall = page.locator('#stall-list button').first()
    await stall.waitFor()
    const [, seconds, calls] = (await stall.innerText()).match(/^Blocked for ([23]\.\d|3) s at \d\d:\d\d:\d\d: Worker\.crunch was called ([\d,]+) times$/)
    assert.ok(Number(seconds) > 2.4 && Number(seconds) < 3.6, seconds)
    assert.ok(Number(calls.replaceAll(',', '')) <= times && Number(calls.replaceAll(',', '')) > times / 2, `${calls} of ${times}`)
    assert.match(await text(page, 'stalls-text'), /^1 in the last /)

    await stall.click()
    await until(page, () => !document.getElementById('span-bar').hidden)
    await until(page, () => document.getElementById('calls-title').innerText.startsWith('Calls, '))
    assert.deepEqual((await rowsOf(page))[0].slice(0, 2), ['Worker', 'crunch'])
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
