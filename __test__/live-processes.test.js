'use strict'

/* eslint-env browser */
// Tests the live page of several processes in a real browser.

const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')

const { addressOf, call, open, rowsOf, startApplication, startBrowser, text, until } = require('./live/browser')
const { lacks } = require('./support/tools')

describe('the live page of processes that share a port', { skip: lacks('chromium'), timeout: 120_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  const total = (page, number) => until(page, (n) => document.getElementById('total').innerText === n, String(number))

  test('shows all processes together, one alone, and all again when the chosen process has ended', async (t) => {
    const opener = await startApplication(t, { cluster: true })
    const member = await startApplication(t, { cluster: true, port: opener.port })
    await opener.count(3, call('Server', 'respond'))
    await member.count(4, call('Server', 'respond'))
    await member.count(5, call('Worker', 'work'))
    const page = await open(t, browser, opener.url, { silence: /400/ })
    const rows = async () => (await rowsOf(page)).map(([name, fn,, calls]) => `${name} ${fn} ${calls}`)
    await total(page, 12)
    assert.deepEqual(await rows(), ['Server respond 7', 'Worker work 5'])

    const choice = page.getByRole('combobox', { name: 'Process' })
    assert.deepEqual(await choice.locator('option').allInnerTexts(), ['All processes', 'Process 1', 'Process 2'])
    await choice.selectOption('Process 1')
    await total(page, 3)
    assert.deepEqual(await rows(), ['Server respond 3'])
    assert.match(await text(page, 'process-facts'), /pid \d+/)
    assert.match(await addressOf(page), /process=1/)
    await choice.selectOption('Process 2')
    await total(page, 9)
    await page.reload()
    await total(page, 9)
    assert.equal(await choice.inputValue(), '2')
    await until(page, () => document.querySelectorAll('.chart canvas').length === 5)

    await member.end()
    await total(page, 3)
    assert.doesNotMatch(await addressOf(page), /process=/)
    await until(page, () => document.getElementById('process-choice').hidden)
  })

  test('without other processes, there is no list of processes', async (t) => {
    const application = await startApplication(t)
    await application.count(1, call('A', 'f'))
    const page = await open(t, browser, application.url)
    await total(page, 1)
    assert.equal(await page.locator('#process-choice').isHidden(), true)
  })
})
