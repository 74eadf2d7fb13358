'use strict'

// Opens and stops an exporter for each of the given options, one after the other.

const HypertracePrometheus = require('../..')

async function main () {
  for (const options of JSON.parse(process.argv[2])) {
    await HypertracePrometheus({ port: 0, collectDefaults: false, ...options }).stop()
  }
}

main()
