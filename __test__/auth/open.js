'use strict'

// Opens a port for each of the options that it is given, in turn, and ends.

const HypertracePrometheus = require('../..')

async function main () {
  for (const options of JSON.parse(process.argv[2])) {
    await HypertracePrometheus({ port: 0, collectDefaults: false, ...options }).stop()
  }
}

main()
