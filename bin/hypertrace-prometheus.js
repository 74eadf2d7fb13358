#!/usr/bin/env node
'use strict'

// The program of the package. Each sub-command loads only its own modules. None loads the addon, because `build` is for
// platforms without a binary, and `top` runs on any machine.

const HELP = `Usage: npx hypertrace-prometheus <command>

  top [url]   shows in the terminal what a process calls: calls per second, stalls, the busiest functions
  build       compiles the addon for this platform; needs Rust

\`npx hypertrace-prometheus top --help\` lists the options of \`top\`.
`

const [command, ...rest] = process.argv.slice(2)

if (command === 'top') {
  require('../lib/top').main(rest)
} else if (command === 'build' && rest.length === 0) {
  require('../lib/build-addon').main()
} else if (command === '--help' || command === '-h' || command === 'help') {
  process.stdout.write(HELP)
} else {
  process.stderr.write(HELP)
  process.exitCode = 1
}
