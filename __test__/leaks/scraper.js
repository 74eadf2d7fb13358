'use strict'

const http = require('node:http')

/** Scrapes a port repeatedly: every second time with gzip, and each fifth time over a new connection. */
function createScraper (port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  function scrape (number) {
    return new Promise((resolve, reject) => {
      const headers = number % 2 === 0 ? { 'Accept-Encoding': 'gzip' } : {}
      http.get({ host: '127.0.0.1', port, path: '/metrics', agent: number % 5 === 0 ? false : agent, headers }, (response) => {
        response.on('end', resolve).on('error', reject).resume()
      }).on('error', reject)
    })
  }

  return {
    async scrapes (count) {
      for (let number = 0; number < count; number++) await scrape(number)
    },
    end: () => agent.destroy()
  }
}

module.exports = { createScraper }
