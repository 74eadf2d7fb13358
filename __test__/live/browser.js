'use strict'

/* eslint-env browser */
/*
 * Opens live pages in Debian's Chromium. A page fails its test after an error on the console, an
 * exception, a dialog, or a request to another server.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const { chromium } = require('playwright-core')
const { cleanUp } = require('../support/clean-up')
const { get } = require('../support/http')
const { startProgram } = require('../support/program')
const { until: eventually } = require('../support/until')

const LIMIT_MS = 15_000

/** Chromium's messages on a request without a response. */
const NO_ANSWER = /net::ERR_|Failed to load resource/

/**
 * Starts Chromium. One browser is enough for all tests of a file.
 *
 * @param {...string} args more arguments of the command line
 */
function startBrowser (...args) {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args
    ]
  })
}

/**
 * Starts an application with a live page.
 *
 * @param {import('node:test').TestContext} t
 * @param {object} [options] options of the exporter
 */
async function startApplication (t, options = {}) {
  const application = startProgram(t, path.join(__dirname, 'application.js'), [JSON.stringify({ port: 0, ...options })])
  const [, port] = await application.line(/^port (\d+)$/)
  const run = async (command, answer) => {
    application.say(command)
    await application.line(answer)
  }
  return {
    port: Number(port),
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/`,
    count: (times, fields) => run(`count ${times} ${encoded(fields)}`, /^counted$/),
    repeat: (fields) => run(`repeat ${encoded(fields)}`, /^repeating$/),
    functions: (count) => run(`functions ${count}`, /^counted$/),
    pause: () => run('pause', /^pausing$/),
    /** Resolves when the event loop is blocked; `unblocked` resolves at the end of the block. */
    block: (milliseconds) => run(`block ${milliseconds}`, /^blocked$/),
    unblocked: () => application.line(/^unblocked$/),
    /** Resolves when calls block the event loop. `spun` resolves at the end of the block, to the number of these calls. */
    spin: (milliseconds, fields) => run(`spin ${milliseconds} ${encoded(fields)}`, /^spinning$/),
    spun: async () => Number((await application.line(/^spun (\d+)$/))[1]),
    /** Resolves when the recorder has measured this number of further steps. */
    async steps (count) {
      const end = async () => JSON.parse((await get({ port, path: '/history.json?seconds=1' })).body).endTimeSeconds
      const start = await end()
      await eventually(async () => await end() >= start + count - 0.5, `${count} further steps`)
    },
    async end () {
      application.child.kill('SIGKILL')
      await application.ended()
    }
  }
}

const encoded = (fields) => encodeURIComponent(JSON.stringify(fields))

/** Returns the fields of a payload: a call of a function of a class. */
function call (className, functionName, { object = {}, caller = {}, ...rest } = {}) {
  return { object: { className, ...object }, caller: { functionName, ...caller }, ...rest }
}

/**
 * Opens a URL in a new page.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {import('playwright-core').BrowserContextOptions & { silence?: RegExp }} [options] `silence`:
 *   errors on the console that are expected
 */
async function open (t, browser, url, { silence, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 1000 }, ...options })
  const faults = []
  const page = await context.newPage()
  page.setDefaultTimeout(LIMIT_MS)
  page.on('console', (message) => {
    if (message.type() === 'error' && !silence?.test(message.text())) faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.stack))
  page.on('dialog', (dialog) => { faults.push(`a dialog: ${dialog.message()}`) })
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin + '/')) faults.push(`a request to ${request.url()}`)
  })
  cleanUp(t, async () => {
    await context.close()
    assert.deepEqual(faults, [])
  })
  await page.goto(url)
  return page
}

/**
 * Returns `location.href` of the page. `page.url()` gets a change of the fragment later.
 *
 * @returns {Promise<string>}
 */
const addressOf = (page) => page.evaluate(() => location.href)

/** Returns the text of the table's cells, row by row, without the trend and the arrow. */
function rowsOf (page) {
  return page.$$eval('#rows tr', (rows) => rows.map((row) => [...row.cells].slice(0, -2).map((cell) => cell.innerText.trim())))
}

/** Waits until a function that runs in the page returns a truthy value. */
function until (page, fn, arg) {
  return page.waitForFunction(fn, arg, { timeout: LIMIT_MS, polling: 50 })
}

/** Calls of an application: how often, and the fields of the payload. */
const HYPERCORE = [
  [5, call('Hypercore', 'get', { object: { id: 1 }, caller: { filename: '/app/node_modules/hypercore/index.js', props: { index: 7 } } })],
  [4, call('Hypercore', 'get', { object: { id: 2 }, caller: { filename: '/app/node_modules/hypercore/index.js', props: { index: 8 } } })],
  [3, call('Hypercore', 'append', { object: { id: 1 }, caller: { filename: '/app/node_modules/hypercore/index.js' } })],
  [20, call('Peer', 'send', { id: 'wire', parentObject: { className: 'Hypercore', id: 1, props: null } })]
]

/** Starts an application and makes these calls. */
async function startHypercore (t, options) {
  const application = await startApplication(t, { allowedProps: ['index'], ...options })
  for (const [times, fields] of HYPERCORE) await application.count(times, fields)
  return application
}

/** Returns the text of the element with this id. */
const text = (page, id) => page.locator(`#${id}`).innerText()

/** Waits until the table has this number of rows. */
const rowCount = (page, count) => until(page, (n) => document.querySelectorAll('#rows tr').length === n, count)

/** Waits until the page is in this state. */
const state = (page, name) => until(page, (wanted) => document.getElementById('state').dataset.state === wanted, name)

/** Returns true if the page shows its values as outdated. */
const isDimmed = (page) => page.evaluate(() => {
  const [value, title] = ['#rate-now', '#rate-title'].map((id) => window.getComputedStyle(document.querySelector(id)).color)
  return value === title
})

module.exports = {
  HYPERCORE, NO_ANSWER, addressOf, call, isDimmed, open, rowCount, rowsOf, startApplication, startBrowser, startHypercore, state, text, until
}
