'use strict'

// Uses up all file descriptors. Prints the process_* and nodejs_heap_* samples of three pages: of a scrape while there are free
// descriptors, of a scrape over the same connection while there are none, and of metrics().

const fs = require('node:fs')
const http = require('node:http')
const HypertracePrometheus = require('../..')

const traceFunction = HypertracePrometheus({ port: 0, host: '127.0.0.1' })
const { port } = traceFunction.address()
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

const scrape = () => new Promise((resolve, reject) => {
  http.get({ host: '127.0.0.1', port, path: '/metrics', agent }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('end', () => resolve(text))
  }).on('error', reject)
})

const samples = (page) => Object.fromEntries([...page.matchAll(/^((?:process|nodejs_heap)_\S+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]))

async function main () {
  const pages = [await scrape()]
  const opened = []
  try {
    for (;;) opened.push(fs.openSync('/dev/null', 'r'))
  } catch {}
  pages.push(await scrape(), await traceFunction.metrics())
  for (const fd of opened) fs.closeSync(fd)
  console.log(JSON.stringify(pages.map(samples)))
  agent.destroy()
  await traceFunction.stop()
}

main()
