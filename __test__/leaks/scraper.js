'use strict'

const http = require('node:http')

/** Scrapes one port repeatedly: with gzip and without, on one connection and, each fifth time, on a new one. */
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
