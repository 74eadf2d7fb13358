'use strict'

/*
 * Debian's Chromium on an application's live page. Every page fails its test for an error on its
 * console, an exception, or a request to anyone but its own server.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const { chromium } = require('playwright-core')
const { startProgram } = require('../support/program')

const LIMIT_MS = 15_000

/** Chromium, for all tests of a file. */
function startBrowser () {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'
    ]
  })
}

/**
 * An application with a live page.
 *
 * @param {import('node:test').TestContext} t
 * @param {object} [options] of the exporter
 */
async function startApplication (t, options = {}) {
  const application = startProgram(t, path.join(__dirname, 'application.js'), [JSON.stringify({ port: 0, ...options })])
  const [, port] = await application.line(/^port (\d+)$/)
  const told = async (command, answer) => {
    application.say(command)
    await application.line(answer)
  }
  return {
    port: Number(port),
    url: `http://127.0.0.1:${port}/`,
    count: (times, parts) => told(`count ${times} ${packed(parts)}`, /^counted$/),
    keep: (parts) => told(`keep ${packed(parts)}`, /^keeping$/),
    rest: () => told('rest', /^resting$/),
    /** Resolves when the loop is blocked; `unblocked` when it no longer is. */
    block: (milliseconds) => told(`block ${milliseconds}`, /^blocked$/),
    unblocked: () => application.line(/^unblocked$/),
    async end () {
      application.child.kill('SIGKILL')
      await application.ended()
    }
  }
}

const packed = (parts) => encodeURIComponent(JSON.stringify(parts))

/** A payload's parts: a call of a class's function. */
function call (className, functionName, { object = {}, caller = {}, ...rest } = {}) {
  return { object: { className, ...object }, caller: { functionName, ...caller }, ...rest }
}

/**
 * A page of its own, at this address.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {import('playwright-core').BrowserContextOptions & { silence?: RegExp }} [options] `silence`:
 *   what the console may say
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
  t.after(async () => {
    await context.close()
    assert.deepEqual(faults, [])
  })
  await page.goto(url)
  return page
}

/** The table's cells as text, row by row, without the trend. */
function rowsOf (page) {
  return page.$$eval('#rows tr', (rows) => rows.map((row) => [...row.cells].slice(0, -1).map((cell) => cell.innerText.trim())))
}

/** Waits until a function of the page's document gives something. */
function until (page, fn, arg) {
  return page.waitForFunction(fn, arg, { timeout: LIMIT_MS, polling: 50 })
}

module.exports = { call, open, rowsOf, startApplication, startBrowser, until }
