'use strict'

// Takes the screenshot of the live page in the README: the hypercore example after some minutes.
//
//   node scripts/screenshot.js [--out examples/live-page.png] [--seconds 75] [--dark]
//
// Requires Debian's Chromium (apt-get install chromium).

const path = require('node:path')
const { parseArgs } = require('node:util')
const { setTimeout: sleep } = require('node:timers/promises')
const { chromium } = require('playwright-core')
const { start } = require('../examples/hypercore')

const MAX_BYTES = 200_000

async function main () {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: path.join(__dirname, '..', 'examples', 'live-page.png') },
      seconds: { type: 'string', default: '75' },
      dark: { type: 'boolean', default: false }
    }
  })
  const example = start({ port: 0 })
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'
    ]
  })
  try {
    const page = await browser.newPage({
      viewport: { width: 1120, height: 800 },
      colorScheme: values.dark ? 'dark' : 'light',
      deviceScaleFactor: 1.25
    })
    await page.goto(`http://localhost:${example.traceFunction.address()?.port}/`)
    await sleep(Number(values.seconds) * 1000) // so that the charts have data
    const picture = await page.screenshot({ path: values.out, fullPage: true })
    console.log(`${values.out}: ${picture.length} bytes`)
    if (picture.length > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes: pass a smaller --seconds`)
  } finally {
    await browser.close()
    await example.stop()
  }
}

main()
