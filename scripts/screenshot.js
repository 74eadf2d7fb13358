'use strict'

// Takes the screenshots of the live page in the README: the hypercore example after some minutes, and while its
// event loop is blocked.
//
//   node scripts/screenshot.js [--seconds 75] [--dark] [--out examples]
//
// Requires Debian's Chromium (apt-get install chromium).

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')

const MAX_BYTES = 300_000
const STALL_MS = 6000

async function main () {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: path.join(__dirname, '..', 'examples') },
      seconds: { type: 'string', default: '75' },
      dark: { type: 'boolean', default: false }
    }
  })
  const { chromium } = require('playwright-core')
  const application = fork(__filename, { env: { ...process.env, SCREENSHOT_SERVE: '1' } })
  const [port] = await once(application, 'message')
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'
    ]
  })
  try {
    const page = await browser.newPage({
      viewport: { width: 1120, height: 820 },
      colorScheme: values.dark ? 'dark' : 'light',
      deviceScaleFactor: 1.25
    })
    /**
     * @param {string} name
     * @param {import('playwright-core').PageScreenshotOptions} [options]
     */
    const shoot = async (name, options) => {
      const file = path.join(values.out, name)
      const picture = await page.screenshot({ path: file, ...options })
      console.log(`${file}: ${picture.length} bytes`)
      if (picture.length > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes: pass a smaller --seconds`)
    }
    await sleep(Number(values.seconds) * 1000) // so that the charts have data
    await page.goto(`http://localhost:${port}/`)
    await page.locator('#rows tr').first().waitFor()
    await sleep(2000)
    await shoot('live-page.png', { fullPage: true })
    await page.setViewportSize({ width: 1120, height: 900 })
    application.send('stall')
    await page.getByText(/was called .* since/).waitFor()
    await sleep(STALL_MS / 2)
    await page.locator('#chart-calls').hover({ position: { x: 2, y: 2 } })
    await shoot('live-page-stall.png')
  } finally {
    await browser.close()
    application.kill()
  }
}

/** Runs the example. A message blocks its event loop with the calls of a class. */
function serve () {
  process.title = 'hypercore-example'
  const { createTracer } = require('hypertrace')
  const example = require('../examples/hypercore').start({ port: 0, defaultLabels: { env: 'staging' } })

  class Indexer {
    tracer = createTracer(this)

    rebuild () {
      for (const end = Date.now() + STALL_MS; Date.now() < end;) this.visit()
    }

    visit () {
      this.tracer.trace('visit')
      for (const end = performance.now() + 0.1; performance.now() < end;);
    }
  }

  const indexer = new Indexer()
  process.on('message', () => indexer.rebuild())
  process.send?.(example.traceFunction.address()?.port)
}

if (process.env.SCREENSHOT_SERVE === undefined) main()
else serve()
