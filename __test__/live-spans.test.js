'use strict'

// Tests in a real browser: chosen spans, comparisons and saved recordings.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { after, before, describe, test } = require('node:test')

const { NO_ANSWER, addressOf, call, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, text, until } = require('./live/browser')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')

describe('spans on the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  /** Starts an application that counts two bursts, three steps apart, and opens its page. */
  async function withBursts (t, options) {
    const application = await startApplication(t)
    await application.count(1, call('First', 'f'))
    await application.steps(3)
    await application.count(100, call('First', 'f'))
    await application.count(10, call('Both', 'f'))
    await application.steps(3)
    await application.count(700, call('Second', 'f'))
    await application.count(40, call('Both', 'f'))
    await application.steps(2)
    const page = await open(t, browser, application.url, options)
    await rowCount(page, 3)
    return { application, page }
  }

  /** Drags over the chart, from one share of its width to another. */
  async function drag (page, from, to) {
    const { x, y, width, height } = await page.locator('#chart-calls .u-over').boundingBox()
    await page.mouse.move(x + width * from, y + height / 2)
    await page.mouse.down()
    await page.mouse.move(x + width * (from + to) / 2, y + height / 2)
    await page.mouse.move(x + width * to, y + height / 2)
    await page.mouse.up()
  }

  const chosen = (page) => until(page, () => !document.getElementById('span-bar').hidden && document.getElementById('calls-title').innerText.startsWith('Calls, '))

  test('dragging over the chart chooses a span, the table shows its calls, and the address has it', async (t) => {
    const { application, page } = await withBursts(t)
    await drag(page, 0, 1)
    await chosen(page)
    assert.match(await addressOf(page), /#\?span=[\d.]+-[\d.]+$/)
    assert.match(await text(page, 'span-text'), /^\d\d:\d\d:\d\d – \d\d:\d\d:\d\d \(\d+ s\): \d+ calls, [\d.]+\/s$/)
    assert.match(await page.locator('#head .rate .unit').innerText(), /^\d+ s mean$/)
    assert.match(await page.locator('#head .value .unit').innerText(), /^in \d+ s$/)
    const rows = await rowsOf(page)
    assert.deepEqual(rows.map(([name]) => name), ['Second', 'First', 'Both'])
    assert.equal(rows[0][3], '700')
    const address = await addressOf(page)
    await page.reload()
    await chosen(page)
    assert.equal((await rowsOf(page))[0][3], '700', 'after a reload')
    await application.steps(2)
    const limits = []
    page.on('request', (request) => { if (request.url().includes('/history.json')) limits.push(new URL(request.url()).searchParams.get('limit')) })
    for (let i = 0; i < 3; i++) await page.waitForResponse(/history\.json.*limit=100/)
    limits.splice(0)
    for (let i = 0; i < 2; i++) await page.waitForResponse(/history\.json.*limit=100/)
    assert.ok(limits.includes('100') && !limits.includes('1000'), `a span that has ended is not requested again: ${limits}`)
    await page.getByRole('button', { name: 'Show now' }).click()
    await until(page, () => document.getElementById('span-bar').hidden)
    assert.notEqual(await addressOf(page), address)
    await page.goBack()
    await chosen(page)
  })

  test('a finger that moves sideways chooses a span', async (t) => {
    const { page } = await withBursts(t, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true })
    const { x, y, width } = await page.locator('#chart-calls .u-over').boundingBox()
    const session = await page.context().newCDPSession(page)
    const touch = (type, ...shares) => session.send('Input.dispatchTouchEvent', { type, touchPoints: shares.map((share) => ({ x: x + width * share, y: y + 40 })) })
    await touch('touchStart', 0.1)
    for (const share of [0.2, 0.4, 0.6, 0.9]) await touch('touchMove', share)
    await touch('touchEnd')
    await chosen(page)
    assert.match(await text(page, 'span-text'), /\(\d+ s\): \d+ calls/)
  })

  test('a click on the mark of a stall chooses its time', async (t) => {
    const application = await startHypercore(t)
    await application.steps(1)
    await application.spin(1500, call('Worker', 'crunch'))
    await application.spun()
    await application.steps(1)
    const page = await open(t, browser, application.url)
    await page.locator('#stall-list button').first().waitFor()
    const plot = await page.locator('#chart-calls .u-over').boundingBox()
    const [from, to] = await page.$eval('#chart-calls', (chart) => ['aria-valuemin', 'aria-valuemax'].map((name) => Number(chart.getAttribute(name))))
    const { startTimeSeconds: start, seconds } = JSON.parse((await get({ port: application.port, path: '/history.json' })).body).stalls[0]
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.mouse.click(plot.x + plot.width * (start + seconds / 2 - from) / (to - from), plot.y + 20)
    await chosen(page)
    assert.deepEqual((await rowsOf(page))[0].slice(0, 2), ['Worker', 'crunch'])
  })

  test('keys choose a span, and Escape ends it', async (t) => {
    const { page } = await withBursts(t)
    const chart = page.getByRole('slider', { name: /^Calls per second/ })
    await chart.focus()
    await page.keyboard.press('ArrowLeft')
    assert.match(await chart.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d: [\d,.]+ calls per second$/)
    for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowLeft')
    await chosen(page)
    assert.match(await text(page, 'span-text'), /\(3 s\)/)
    assert.match(await chart.getAttribute('aria-valuetext'), /Chosen: \d\d:\d\d:\d\d to \d\d:\d\d:\d\d, 3 s$/)
    assert.equal(await page.evaluate(() => document.activeElement.id), 'chart-calls')
    await page.keyboard.press('Escape')
    await until(page, () => document.getElementById('span-bar').hidden)
    await page.keyboard.press('Home')
    const [least, now] = await chart.evaluate((element) => ['aria-valuemin', 'aria-valuenow'].map((name) => Number(element.getAttribute(name))))
    assert.ok(now - least <= 1, 'the first time of the chart')
  })

  test('a comparison shows what rose, fell, appeared and ended', async (t) => {
    const { page } = await withBursts(t)
    // The chart begins at least 10 s before now. The second burst is in the last third of the chart, the first burst is earlier.
    await drag(page, 0.68, 1)
    await chosen(page)
    await page.getByRole('button', { name: 'Compare with another span' }).click()
    await drag(page, 0, 0.66)
    await until(page, () => document.querySelectorAll('#comparison-rows tr').length === 3)
    const changes = await page.$$eval('#comparison-rows tr', (rows) => Object.fromEntries(rows.map((row) => [row.cells[0].innerText, row.querySelector('.change').innerText])))
    assert.equal(changes.Second, 'appeared')
    assert.equal(changes.First, 'ended')
    assert.match(changes.Both, /^rose [\d.]+×$/)
    assert.match(await addressOf(page), /span=[\d.]+-[\d.]+&base=[\d.]+-[\d.]+$/)
    await page.reload()
    await until(page, () => document.querySelectorAll('#comparison-rows tr').length === 3)
    await page.getByRole('button', { name: 'End the comparison' }).click()
    await chosen(page)
    await page.getByRole('button', { name: /^Compare with the \d+ s before$/ }).click()
    await until(page, () => document.getElementById('calls-title').innerText.includes(', compared with '))
  })

  test('the page says that the recording does not have a chosen span', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url + '#?span=1000-1005')
    await until(page, () => document.getElementById('span-text').innerText.endsWith('not in the recording'))
    assert.match(await text(page, 'rest'), /does not have this time/)
  })

  test('a saved recording opens without a server, sends no request, and shows the same rows', async (t) => {
    const hostile = '</script><script>window.ran = true</script><img src=x onerror="window.ran = true">'
    const { application, page } = await withBursts(t, { silence: NO_ANSWER })
    await application.count(3, call(hostile, hostile, { object: { id: 1 } }))
    await application.spin(1000, call('Worker', 'crunch'))
    await application.spun()
    await application.steps(2)
    await until(page, () => document.querySelectorAll('#stall-list li').length === 1 && document.querySelectorAll('#rows tr').length === 5)
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save' }).click()])
    assert.match(download.suggestedFilename(), /^hypertrace-application\.js-\d{8}-\d{6}\.html$/)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'saved-'))
    t.after(() => fs.rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'recording.html')
    await download.saveAs(file)
    await application.end()

    const context = await browser.newContext({ viewport: { width: 1180, height: 1000 } })
    const saved = await context.newPage()
    const faults = []
    saved.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()) })
    saved.on('pageerror', (error) => faults.push(error.stack))
    saved.on('request', (request) => { if (!request.url().startsWith(pathToFileURL(folder).href) && !request.url().startsWith('data:')) faults.push(request.url()) })
    t.after(() => context.close())
    await saved.goto(pathToFileURL(file).href)
    await rowCount(saved, 5)
    assert.match(await text(saved, 'state'), /^Recording of /)
    assert.match(await saved.title(), /^Recording · application\.js · Hypertrace$/)
    assert.ok((await rowsOf(saved)).some(([name]) => name === hostile))
    assert.match(await saved.locator('#stall-list button').innerText(), /Worker\.crunch was called [\d,]+ times$/)
    assert.equal(await saved.getByRole('button', { name: 'Save' }).isVisible(), false)

    await saved.getByRole('button', { name: 'Call sites' }).click()
    await saved.getByRole('columnheader', { name: 'File' }).waitFor()
    await saved.getByRole('button', { name: 'Functions' }).click()
    await saved.locator('#stall-list button').click()
    await chosen(saved)
    assert.deepEqual((await rowsOf(saved))[0].slice(0, 2), ['Worker', 'crunch'])
    await saved.getByRole('button', { name: 'Map' }).click()
    await saved.locator('#map .node').first().waitFor()
    await saved.getByRole('button', { name: 'Table' }).click()
    await saved.getByRole('button', { name: 'Show now' }).click()
    await saved.locator('#filter').fill('first')
    await rowCount(saved, 1)
    assert.equal(await saved.evaluate(() => window.ran), undefined)
    assert.deepEqual(faults, [])
  })
})
