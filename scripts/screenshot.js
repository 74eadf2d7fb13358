'use strict'

// Takes the picture of the live page that the README shows: the hypercore example, some minutes on.
//
//   node scripts/screenshot.js [--out examples/live-page.png] [--seconds 75] [--dark]
//
// Needs Debian's Chromium (apt-get install chromium).

const path = require('node:path')
const { parseArgs } = require('node:util')
const { setTimeout: sleep } = require('node:timers/promises')
const { chromium } = require('playwright-core')
const { start } = require('../examples/hypercore')

const MOST_BYTES = 200_000

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
    await sleep(Number(values.seconds) * 1000) // what it shows is the time that has passed
    const picture = await page.screenshot({ path: values.out, fullPage: true })
    console.log(`${values.out}: ${picture.length} bytes`)
    if (picture.length > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes: take fewer seconds`)
  } finally {
    await browser.close()
    await example.stop()
  }
}

main()
