'use strict'

// Tests the table of the live page in a real browser.

const assert = require('node:assert/strict')
const { after, before, describe, test } = require('node:test')

const { HYPERCORE, addressOf, call, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, state, text, until } = require('./live/browser')
const { lacks } = require('./support/tools')

describe('the table of the live page', { skip: lacks('chromium'), timeout: 240_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser
  before(async () => { browser = await startBrowser() })
  after(() => browser?.close())

  test('the table shows totals and rates', async (t) => {
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
    for (const id of ['lag-now', 'heap-now', 'rss-now', 'cpu-now']) await until(page, (name) => /^[\d.<]/.test(document.getElementById(name).innerText), id)
    await until(page, () => [...document.querySelectorAll('#rows .spark .line')].every((line) => line.getAttribute('d').length > 4))
    assert.match(await page.locator('#chart-calls').getAttribute('aria-label'), /^Calls per second: now .*, highest /)
    assert.equal(await page.locator('.chart canvas').count(), 5)
  })

  test('the table sorts by any column in both directions', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    const names = async () => (await rowsOf(page)).map(([name, fn]) => `${name} ${fn}`)
    const header = (name) => page.getByRole('columnheader', { name })
    assert.equal(await header(/^Calls since/).getAttribute('aria-sort'), 'descending')

    await header(/^Calls since/).getByRole('button').click()
    assert.equal(await header(/^Calls since/).getAttribute('aria-sort'), 'ascending')
    assert.deepEqual(await names(), ['Hypercore append', 'Hypercore get', 'Peer send'])

    await header('Function').getByRole('button').click()
    assert.deepEqual(await names(), ['Hypercore append', 'Hypercore get', 'Peer send'])
    assert.equal(await header(/^Calls since/).getAttribute('aria-sort'), null)
    await header('Function').getByRole('button').click()
    assert.deepEqual(await names(), ['Peer send', 'Hypercore get', 'Hypercore append'])

    await application.count(100, call('Hypercore', 'append'))
    await until(page, () => document.getElementById('total').innerText === '132')
    assert.deepEqual(await names(), ['Peer send', 'Hypercore get', 'Hypercore append'], 'new values do not change the order')

    await header(/^Calls\/s/).getByRole('button').click()
    assert.match(await addressOf(page), /#\?sort=-rate$/)
    await page.reload()
    await rowCount(page, 3)
    assert.equal(await header(/^Calls\/s/).getAttribute('aria-sort'), 'descending', 'the order is still there after a reload')
    await page.getByRole('button', { name: 'Objects' }).click()
    await header('Object').waitFor()
    assert.equal(await header(/^Calls\/s/).getAttribute('aria-sort'), 'descending', 'and in another view')
  })

  test('typing searches the rows, and Escape ends the search', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'filter')
    await page.keyboard.type('APP')
    await rowCount(page, 1)
    assert.deepEqual((await rowsOf(page)).map(([, fn]) => fn), ['append'])
    assert.match(await addressOf(page), /#\?search=APP$/)
    await page.reload()
    await rowCount(page, 1)
    assert.equal(await page.locator('#filter').inputValue(), 'APP', 'the search is in the address')
    await page.locator('#filter').fill('nothing has this')
    await until(page, () => document.getElementById('rest').innerText === 'No row has this text.')
    await page.keyboard.press('Escape')
    await rowCount(page, 3)
  })

  test('among 5,000 rows, the search and the order by rate find a row', async (t) => {
    const application = await startApplication(t)
    await application.functions(5000)
    const page = await open(t, browser, application.url)
    await rowCount(page, 50)
    assert.match(await text(page, 'rest'), /^4,950 more rows with /)
    await page.keyboard.press('/')
    await page.keyboard.type('fn477')
    await rowCount(page, 11)
    await page.keyboard.press('Escape')
    await rowCount(page, 50)
    await page.getByRole('button', { name: 'Show more' }).click()
    await rowCount(page, 1000)
    assert.equal(await page.locator('#more').isVisible(), false)

    await application.repeat(call('Class9', 'fn9'))
    await page.getByRole('columnheader', { name: /^Calls\/s/ }).getByRole('button').click()
    await until(page, () => document.querySelector('#rows tr').innerText.match(/fn9\s/), undefined)
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

    const address = await addressOf(page)
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

  test('tabs exist only for labels that some series has', async (t) => {
    const application = await startApplication(t, { allowedProps: ['index', 'unused'] })
    await application.count(1, call('A', 'f'))
    const page = await open(t, browser, application.url)
    await rowCount(page, 1)
    const tabs = () => page.locator('#views button').allInnerTexts()
    assert.deepEqual(await tabs(), ['Functions', 'Call sites', 'Objects'])
    await application.count(1, call('A', 'f', { parentObject: { className: 'B', id: 1, props: null }, caller: { props: { index: 1 } } }))
    await until(page, () => document.querySelectorAll('#views button').length === 5)
    assert.deepEqual(await tabs(), ['Functions', 'Call sites', 'Objects', 'Parents', 'index (call)'])
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
    assert.equal(await page.getByRole('row', { name: 'ten kilobytes' }).getAttribute('title'), null, 'the name is too long for a request')
    assert.equal(await page.evaluate(() => window.ran), undefined)
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
    assert.equal(await text(page, 'series'), '2 of 2')
    await until(page, () => /2 new label sets were counted with fewer labels.*omitLabels/s.test(document.getElementById('advice').innerText))
    assert.equal(await page.getByRole('row', { name: 'Overflow' }).getByRole('button').count(), 0)
  })

  test('a URL with a label that the server does not have leads to the initial view', async (t) => {
    const application = await startHypercore(t)
    const page = await open(t, browser, application.url + '#?view=caller_props_gone&caller_props_gone=1', { silence: /400/ })
    await rowCount(page, 3)
    assert.match(await addressOf(page), /#$/)
  })

  test('without default metrics the page shows the values that exist', async (t) => {
    const application = await startHypercore(t, { collectDefaults: false })
    const page = await open(t, browser, application.url)
    await rowCount(page, 3)
    await state(page, 'live')
    assert.equal(await text(page, 'heap-now'), '–')
    await until(page, () => /ms$/.test(document.getElementById('lag-now').innerText))
  })
})
