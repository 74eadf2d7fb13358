'use strict'

// Tests the live page in a real browser.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { after, before, describe, test } = require('node:test')

const { call, open, rowsOf, startApplication, startBrowser, until } = require('./live/browser')
const { get } = require('./support/http')
const { lacks } = require('./support/tools')

const AXE = fs.readFileSync(require.resolve('axe-core'), 'utf8')
// Chromium's messages on a request without a response.
const NO_ANSWER = /net::ERR_|Failed to load resource/

const HYPERCORE = [
  [5, call('Hypercore', 'get', { object: { id: 1 }, caller: { filename: '/app/node_modules/hypercore/index.js', props: { index: 7 } } })],
  [4, call('Hypercore', 'get', { object: { id: 2 }, caller: { filename: '/app/node_modules/hypercore/index.js', props: { index: 8 } } })],
  [3, call('Hypercore', 'append', { object: { id: 1 }, caller: { filename: '/app/node_modules/hypercore/index.js' } })],
  [20, call('Peer', 'send', { id: 'wire', parentObject: { className: 'Hypercore', id: 1, props: null } })]
]

describe('the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  /** Starts an application and makes the calls above. */
  async function startHypercore (t, options) {
    const application = await startApplication(t, { allowedProps: ['index'], ...options })
    for (const [times, fields] of HYPERCORE) await application.count(times, fields)
    return application
  }

  const text = (page, id) => page.locator(`#${id}`).innerText()
  const rowCount = (page, count) => until(page, (n) => document.querySelectorAll('#rows tr').length === n, count)
  const state = (page, name) => until(page, (wanted) => document.getElementById('state').dataset.state === wanted, name)

  test('the table shows totals at once and rates with the second summary', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const rows = await rowsOf(page)
    assert.deepEqual(rows.map(([name, fn,, total, share]) => [name, fn, total, share]), [
      ['Peer', 'send', '20', '63 %'],
      ['Hypercore', 'get', '9', '28 %'],
      ['Hypercore', 'append', '3', '9.4 %']
    ])
    assert.equal(await text(page, 'total'), '32')
    assert.match(await text(page, 'series'), /^4 of 50,000$/)
    await state(page, 'live')

    await application.repeat(call('Hypercore', 'get', { object: { id: 1 } }))
    const rate = await until(page, () => {
      const cell = [...document.querySelectorAll('#rows tr')].find((row) => row.innerText.includes('get'))?.querySelector('.rate')
      const number = parseFloat(cell?.innerText)
      return number > 5 && number
    })
    assert.ok(await rate.jsonValue() <= 60, 'about 50 a second')
    await until(page, () => /^\d/.test(document.getElementById('rate-now').innerText) && document.title.includes('/s'))
    for (const id of ['lag-now', 'heap-now', 'rss-now']) assert.match(await text(page, id), /^[\d.<]/, id)
    await until(page, () => /%$/.test(document.getElementById('cpu-now').innerText))
    await until(page, () => [...document.querySelectorAll('.chart .line, #rows .spark .line')].every((line) => line.getAttribute('d').length > 4))
    assert.match(await page.locator('#chart-calls svg').getAttribute('aria-label'), /^Calls per second: now .*, highest /)
  })

  test('the table sorts by any column in both directions', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const names = async () => (await rowsOf(page)).map(([name, fn]) => `${name} ${fn}`)
    const header = (name) => page.getByRole('columnheader', { name })
    assert.equal(await header('Total').getAttribute('aria-sort'), 'descending')

    await header('Total').getByRole('button').click()
    assert.equal(await header('Total').getAttribute('aria-sort'), 'ascending')
    assert.deepEqual(await names(), ['Hypercore append', 'Hypercore get', 'Peer send'])

    await header('Function').getByRole('button').click()
    assert.deepEqual(await names(), ['Hypercore append', 'Hypercore get', 'Peer send'])
    assert.equal(await header('Total').getAttribute('aria-sort'), null)
    await header('Function').getByRole('button').click()
    assert.deepEqual(await names(), ['Peer send', 'Hypercore get', 'Hypercore append'])

    await application.count(100, call('Hypercore', 'append'))
    await until(page, () => document.getElementById('total').innerText === '132')
    assert.deepEqual(await names(), ['Peer send', 'Hypercore get', 'Hypercore append'], 'new values do not change the order')
  })

  test('typing filters the rows, and Escape removes the filter', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'filter')
    await page.keyboard.type('APP')
    assert.deepEqual((await rowsOf(page)).map(([, fn]) => fn), ['append'])
    assert.match(await text(page, 'rest'), /^1 of 3 rows/)
    await page.keyboard.press('Escape')
    await rowCount(page, 3)
  })

  test('rows lead from a function to its props, and Back returns', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const names = async () => (await rowsOf(page)).map((cells) => cells.slice(0, -3).join(' '))
    const follow = async (name, column) => {
      await page.getByRole('row', { name }).getByRole('button').first().click()
      await page.getByRole('columnheader', { name: column, exact: true }).waitFor()
    }
    await follow(/Hypercore get/, 'File')
    assert.deepEqual(await names(), ['…/node_modules/hypercore/index.js none'])
    assert.deepEqual(await page.locator('#crumbs button').allInnerTexts(), ['Class Hypercore', 'Function get', 'All calls'])
    await follow(/index\.js/, 'Object')
    assert.deepEqual(await names(), ['1', '2'])
    await page.getByRole('button', { name: 'index (call)' }).click()
    await page.getByRole('columnheader', { name: 'index (call)' }).waitFor()
    assert.deepEqual(await names(), ['7', '8'])
    assert.equal((await rowsOf(page))[0].at(-1), '56 %', 'shares refer to the filtered calls')

    const address = page.url()
    await page.goBack()
    await page.getByRole('columnheader', { name: 'Object', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Remove filter: Function get' }).click()
    await until(page, () => document.querySelectorAll('#crumbs button').length === 4)
    await page.getByRole('button', { name: 'All calls' }).click()
    await page.getByRole('columnheader', { name: 'Class', exact: true }).waitFor()
    await rowCount(page, 3)

    const other = await open(t, browser, address)
    await other.getByRole('columnheader', { name: 'index (call)' }).waitFor()
    await rowCount(other, 2)
  })

  test('the keyboard reaches every control, and new values do not move the focus', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const focused = () => page.evaluate(() => document.activeElement.closest('tr')?.innerText.split(/\s+/)[1] ?? '')
    for (let i = 0; i < 40 && await focused() !== 'get'; i++) await page.keyboard.press('Tab')
    assert.equal(await focused(), 'get')
    await application.count(500, HYPERCORE[1][1])
    await until(page, () => document.querySelector('#rows tr').innerText.includes('509'))
    assert.equal(await focused(), 'get', 'the row moved to the top and is still focused')
    await page.keyboard.press('Enter')
    await page.getByRole('columnheader', { name: 'File' }).waitFor()
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

    const successor = await startApplication(t, { port: application.port })
    await successor.count(3, call('Phoenix', 'rise'))
    await state(page, 'live')
    await until(page, () => document.querySelector('#rows tr')?.innerText.includes('Phoenix'))
    assert.match(await text(page, 'note'), /^Counts restarted at 0 at /)
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
    const late = await open(t, browser, application.url)
    for (const one of [page, late]) {
      await state(one, 'blocked')
      assert.match(await text(one, 'banner-text'), /event loop is blocked/)
      assert.match(await text(one, 'banner-time'), /^Blocked for [\d.]+ m?s$/)
      assert.equal((await rowsOf(one)).length, 3, 'the table is filled')
    }
    await until(page, () => /^[1-9].* s$/.test(document.getElementById('lag-now').innerText))
    await application.unblocked()
    for (const one of [page, late]) {
      await state(one, 'live')
      assert.equal(await one.locator('#banner').isVisible(), false)
    }
  })

  test('names with markup and control characters are shown as text', async (t) => {
    const hostile = [
      '<img src=x onerror="alert(1)">',
      '"><script>window.ran = true</script>',
      'javascript:alert(1)',
      '{{7*7}}',
      '\u202egnp.exe\u2066',
      'nul\0 and \u001b[31m',
      'עברית',
      '__proto__',
      'constructor',
      'ten kilobytes '.repeat(730)
    ]
    const application = await startApplication(t, { maxLabelValueLength: 20_000, allowedProps: ['<b>p</b>'] })
    for (const name of hostile) {
      await application.count(2, call(name, name, {
        id: name.slice(0, 500), object: { props: { '<b>p</b>': name.slice(0, 500) } }, caller: { filename: name.slice(0, 500) }
      }))
    }
    const page = await open(t, browser, application.url)
    await rowCount(page, hostile.length)
    const shown = (await rowsOf(page)).map(([name]) => name)
    for (const expected of ['<img src=x onerror="alert(1)">', '"><script>window.ran = true</script>', '\\u{202e}gnp.exe\\u{2066}', 'nul\\u{0} and \\u{1b}[31m', '__proto__', 'עברית']) {
      assert.ok(shown.includes(expected), `${expected} in ${shown}`)
    }
    assert.equal(await page.locator('#rows img, #rows script, #rows b').count(), 0)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'long names wrap')

    for (const fragment of ['<img', '__proto__', '"><script>']) {
      await page.getByRole('row', { name: fragment }).getByRole('button').first().click()
      await page.getByRole('columnheader', { name: 'File' }).waitFor()
      await rowCount(page, 1)
      assert.ok((await page.locator('#crumbs').innerText()).includes(fragment))
      await page.getByRole('button', { name: '_b_p__b_ (object)' }).click()
      await page.getByRole('columnheader', { name: '_b_p__b_ (object)' }).waitFor()
      await rowCount(page, 1)
      await page.getByRole('button', { name: 'All calls' }).click()
      await rowCount(page, hostile.length)
    }
    assert.equal(await page.getByRole('row', { name: 'ten kilobytes' }).getByRole('button').count(), 0, 'the name is too long for a request')
    assert.equal(await page.evaluate(() => window.ran), undefined)
  })

  test('without calls the page explains how to trace, and copies the example', async (t) => {
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

  test('Pause stops the requests and Resume continues', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.getByRole('button', { name: 'Pause' }).click()
    await state(page, 'paused')
    let requests = 0
    page.on('request', () => requests++)
    await application.count(100, HYPERCORE[0][1])
    await get({ port: application.port, path: '/summary.json' })
    assert.equal(await text(page, 'total'), '32')
    assert.equal(requests, 0)
    await page.getByRole('button', { name: 'Resume' }).click()
    await until(page, () => document.getElementById('total').innerText === '132')
  })

  test('at the maximum of series the overflow series has a row', async (t) => {
    const application = await startApplication(t, { maxSeries: 2 })
    await application.count(1, call('A', 'f'))
    await application.count(2, call('B', 'f'))
    await application.count(3, call('C', 'f'))
    const page = await open(t, browser, application.url)
    await rowCount(page, 2)
    const rows = await rowsOf(page)
    assert.deepEqual(rows.map(([name,,, total]) => [name, total]), [['Overflow: maximum of series reached', '5'], ['A', '1']])
    assert.match(await text(page, 'series'), /^2 of 2; 2 label sets shortened$/)
    assert.equal(await page.getByRole('row', { name: 'Overflow' }).getByRole('button').count(), 0)
  })

  test('a filter loads more rows', async (t) => {
    const application = await startApplication(t)
    for (let i = 1; i <= 130; i++) await application.count(i, call(`Class${i}`, 'f'))
    const page = await open(t, browser, application.url)
    await rowCount(page, 100)
    assert.match(await text(page, 'rest'), /^30 more rows with 465 calls/)
    await page.keyboard.press('/')
    await page.keyboard.type('class7')
    await rowCount(page, 11)
    await page.keyboard.press('Escape')
    await rowCount(page, 130)
    assert.equal(await page.locator('#more').isVisible(), false)
  })

  test('a URL with a label that the server does not have leads to the initial view', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url + '#?view=caller_props_gone&caller_props_gone=1', { silence: /400/ })
    await rowCount(page, 3)
    assert.match(page.url(), /#$/)
  })

  test('without default metrics the page shows the values that exist', async (t) => {
    const application = await startHypercore(t, { collectDefaults: false })
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await state(page, 'live')
    assert.equal(await text(page, 'heap-now'), '–')
    assert.match(await text(page, 'lag-now'), /ms$/)
  })

  test('on a narrow screen no column is cut off', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })
    await rowCount(page, 3)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360))
    for (const column of ['Class', 'Function', 'Calls/s', 'Total']) {
      const box = await page.getByRole('columnheader', { name: column }).boundingBox()
      assert.ok(box.x >= 0 && box.x + box.width <= 360, column)
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
      await page.getByRole('row', { name: /Hypercore get/ }).getByRole('button').click()
      await page.getByRole('columnheader', { name: 'File' }).waitFor()
      await check(page, 'filtered')
      await application.end()
      await state(page, 'silent')
      await check(page, 'without an answer')
    })
  }
})
