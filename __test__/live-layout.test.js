'use strict'

// Tests the layout, the help and the accessibility of the live page in a real browser.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { after, before, describe, test } = require('node:test')

const { NO_ANSWER, call, open, rowCount, startApplication, startBrowser, startHypercore, state } = require('./live/browser')
const { lacks } = require('./support/tools')

const AXE = fs.readFileSync(require.resolve('axe-core'), 'utf8')

describe('the layout of the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  test('without calls the page explains how to trace, and has a button that copies the example', async (t) => {
    const application = await startApplication(t)
    const page = await open(t, browser, application.url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.getByRole('heading', { name: 'No call has been traced yet' }).waitFor()
    assert.equal(await page.locator('#calls').isVisible(), false)
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    assert.match(copied, /^const \{ createTracer, setTraceFunction \} = require\('hypertrace'\)\n/)
    new Function(copied) // eslint-disable-line no-new, no-new-func -- the example must be valid JavaScript

    await application.count(1, call('A', 'f'))
    await rowCount(page, 1)
    assert.equal(await page.locator('#empty').isVisible(), false)
  })

  test('Help explains the terms, and so do the titles', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.keyboard.press('?')
    const dialog = page.getByRole('dialog', { name: 'Help' })
    await dialog.waitFor()
    const terms = await dialog.locator('dt').allInnerTexts()
    for (const term of ['Series', 'Share', 'Trend', 'Parent', 'Overflow', 'Event-loop lag']) assert.ok(terms.includes(term), term)
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Help' }).click()
    await dialog.getByRole('button', { name: 'Close' }).click()
    await dialog.waitFor({ state: 'hidden' })
    const titles = await page.$$eval('[data-help], #head th', (elements) => elements.map((element) => element.title))
    assert.ok(titles.length > 12 && titles.every((title) => title.length > 10), JSON.stringify(titles))
    const row = page.getByRole('row', { name: /Hypercore get/ })
    assert.equal(await row.getAttribute('title'), 'Show: Call sites')
  })

  for (const width of [390, 1280, 2560]) {
    test(`at ${width} pixels the page uses the width and no row of a call site is tall`, async (t) => {
      const application = await startHypercore(t)
      const page = await open(t, browser, application.url + '#?view=site', { viewport: { width, height: 900 } })
      await rowCount(page, 3)
      const { scroll, heights, used, names } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth,
        heights: [...document.querySelectorAll('#rows tr')].map((row) => row.offsetHeight),
        used: document.querySelector('main').offsetWidth,
        names: [...document.querySelectorAll('#rows tr')].map((row) => [...row.querySelectorAll('.name')].filter(({ innerText }) => innerText !== 'none'))
          .map((cells) => cells.map((cell) => [cell.innerText, Math.round(cell.getBoundingClientRect().left)]))
      }))
      assert.ok(scroll <= width, `${scroll}`)
      assert.ok(used >= 0.9 * width, `${used}`)
      assert.ok(heights.every((height) => height <= (width < 620 ? 90 : 48)), `${heights}`)
      assert.ok(names.flat().some(([name]) => name === '…/node_modules/hypercore/index.js'), JSON.stringify(names))
      const columns = new Set(names.flat().map(([, left]) => left))
      assert.equal(columns.size, width < 620 ? 1 : 3, 'the names are below each other on a narrow screen')
    })
  }

  test('on a narrow screen no column is cut off', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })
    await rowCount(page, 3)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360))
    for (const column of ['Class', 'Function', /^Calls\/s/, /^Calls since/]) {
      const box = await page.getByRole('columnheader', { name: column }).boundingBox()
      assert.ok(box.x >= 0 && box.x + box.width <= 360, String(column))
    }
  })

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    test(`axe finds no violation (${colorScheme})`, async (t) => {
      // The browser's driver injects axe, which the page's policy would block.
      const options = { colorScheme, reducedMotion: /** @type {const} */ ('reduce'), bypassCSP: true, silence: NO_ANSWER }
      const check = async (page, what) => {
        await page.evaluate(AXE)
        const { violations, passes } = await page.evaluate(() => window.axe.run())
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`)
        assert.deepEqual(found, [], what)
        assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'axe checked the contrast')
      }
      const empty = await startApplication(t)
      const emptyPage = await open(t, browser, empty.url, options)
      await emptyPage.locator('#empty').waitFor()
      await check(emptyPage, 'empty')

      const application = await startHypercore(t)
      const page = await open(t, browser, application.url, options)
      await rowCount(page, 3)
      await check(page, 'filled')
      await page.getByRole('row', { name: /Hypercore get/ }).getByRole('button').first().click()
      await page.getByRole('columnheader', { name: 'File' }).waitFor()
      await check(page, 'filtered')
      await page.getByRole('button', { name: 'Map' }).click()
      await page.locator('#map .node').first().waitFor()
      await page.locator('summary').click()
      await check(page, 'map')
      await page.getByRole('button', { name: 'Table' }).click()
      await application.spin(1000, call('Worker', 'crunch'))
      await application.spun()
      await page.locator('#stall-list button').first().click()
      await page.getByRole('button', { name: /^Compare with the/ }).click()
      await page.locator('#comparison-view').waitFor()
      await check(page, 'stall and comparison')
      await application.end()
      await state(page, 'silent')
      await check(page, 'without an answer')
    })
  }
})
