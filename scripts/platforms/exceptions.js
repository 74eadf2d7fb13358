'use strict'

// Lists the tests that `npm run platforms` leaves out, and the tests that may fail on a platform. Each has a reason.
// A reason is a property of the emulator or of the test, never a fault of this package.

/**
 * @typedef {object} Exception
 * @property {string} file
 * @property {RegExp} [test] the names; absent: all tests of the file
 * @property {string} reason
 * @property {boolean} [sometimes] true: the test passes in some runs
 */

const NO_BINARY = 'tests no binary'
const BROWSER = 'tests the live page in a browser; its files are the same in each binary'
const MACHINE = 'needs the tools and the packages of the build machine; `npm run rehearsal` installs the packages on each platform'

/** @type {Record<string, string>} */
const OMITTED = {
  'bare.test.js': MACHINE,
  'benchmark.test.js': NO_BINARY,
  'bundlers.test.js': MACHINE,
  'dashboard.test.js': NO_BINARY,
  'licences.test.js': NO_BINARY,
  'live-charts.test.js': BROWSER,
  'live-layout.test.js': BROWSER,
  'live-map.test.js': BROWSER,
  'live-processes.test.js': BROWSER,
  'live-spans.test.js': BROWSER,
  'live.test.js': BROWSER,
  'package-managers.test.js': MACHINE,
  'packed.test.js': MACHINE,
  'platforms.test.js': NO_BINARY,
  'runtimes.test.js': MACHINE,
  'setup.test.js': MACHINE,
  'supply-chain.test.js': MACHINE,
  'types.test.js': NO_BINARY,
  'workflows.test.js': NO_BINARY
}

const JUNCTION = 'the test creates a junction, which Wine does not support (ENOTSUP)'
const KEEP_ALIVE = 'in Wine a socket cannot connect if keep-alive was set before; `keep-alive.js` prevents this, but the test does not pass NODE_OPTIONS on'
const CLOSED_BY_KILL = 'a client in Wine does not always notice that a killed process has gone; clients on Linux of the same server do'
const OTHER_ADDONS = 'the addons of the test framework (unrs-resolver, rolldown) are installed for the build machine only'

const GUESSES = 'in Wine sixty connections are not open before the first wrong guesses are answered, so that more of them are checked'

const COMMAND_LINE = 'the command line in /proc is that of QEMU'
const COMPILER = 'the compiler of TypeScript is installed for the build machine only'
const PROCESSOR_TIME = '/proc/self/stat of QEMU has no processor time'
const FEW = 'the example works for a second or less, in which an emulator may do less than the test requires'
const MEMORY = '/proc/self/stat of QEMU has no memory'
const STARTS = 'starts 24 processes within its limits, each of which takes seconds to start in an emulator; `cluster.test.js` and `cluster-faults.test.js` run'
const SLOW = 'its thousands of scrapes take minutes in an emulator; `lifecycle.test.js` and `workers-churn.test.js` run'

const CERTIFICATES = 'NODE_EXTRA_CA_CERTS was set: Node.js 24 reads this file on another thread, which takes seconds in an emulator'

const FOR_GLIBC = 'sodium-native, which the test needs, has no binary for musl; that for glibc needs ld-linux'

/** Files that do not run on a platform. @type {Record<string, Record<string, string>>} */
const OMITTED_ON = {
  'linux-x64-musl': { 'hypercore.test.js': FOR_GLIBC },
  'linux-arm64-gnu': { 'blocked.test.js': PROCESSOR_TIME, 'cluster-rates.test.js': STARTS, 'leaks.test.js': SLOW },
  'linux-arm64-musl': { 'hypercore.test.js': FOR_GLIBC, 'blocked.test.js': PROCESSOR_TIME, 'cluster-rates.test.js': STARTS, 'leaks.test.js': SLOW },
  'win32-x64-msvc': { 'leaks.test.js': SLOW }
}

/** @type {Exception[]} */
const MUSL = [
  { file: 'examples.test.js', test: /^hypercore example/, reason: FOR_GLIBC },
  { file: 'fake-clocks.test.js', test: /of (jest, in its sandbox|vitest)/, reason: OTHER_ADDONS },
  { file: 'prometheus.test.js', test: /scrapes it|the example|Python/, reason: FOR_GLIBC }
]

/** @type {Exception[]} */
const QEMU = [
  { file: 'examples.test.js', test: /shows every (trace|job)/, reason: FEW, sometimes: true },
  { file: 'costs.test.js', test: /^a series .*uses less than/, reason: MEMORY },
  { file: 'top.test.js', test: /over TLS with a client certificate/, reason: COMMAND_LINE },
  { file: 'readme.test.js', test: /\.ts compiles$/, reason: COMPILER },
  { file: 'opentelemetry.test.js', test: /collectDefaults adds the default metrics/, reason: PROCESSOR_TIME },
  { file: 'register.test.js', test: /has the counts and the default families/, reason: PROCESSOR_TIME }
]

/** @type {Record<string, Exception[]>} */
const EXCEPTIONS = {
  'linux-x64-musl': MUSL,
  'linux-arm64-musl': [
    ...QEMU,
    ...MUSL,
    { file: 'closed-descriptors.test.js', test: /: all$/, reason: CERTIFICATES, sometimes: true },
    { file: 'node-metrics.test.js', test: /no handle or timer remains/, reason: CERTIFICATES, sometimes: true },
    { file: 'server.test.js', test: /nothing stays open/, reason: CERTIFICATES, sometimes: true }
  ],
  'linux-arm64-gnu': [
    ...QEMU,
    { file: 'fake-clocks.test.js', test: /of (jest, in its sandbox|vitest)/, reason: OTHER_ADDONS }
  ],
  'win32-x64-msvc': [
    { file: 'auth.test.js', test: /many simultaneous guesses/, reason: GUESSES, sometimes: true },
    { file: 'fake-clocks.test.js', test: /of vitest/, reason: OTHER_ADDONS },
    { file: 'lifecycle.test.js', test: /^case 40: [\w ]+: the process ends/, reason: CLOSED_BY_KILL, sometimes: true },
    { file: 'push.test.js', test: /whose gateway is not there/, reason: JUNCTION },
    { file: 'readme-threads.test.js', test: /^readme: (threads|cluster|cluster-register)\.js/, reason: JUNCTION },
    { file: 'readme.test.js', test: /\.(js|mjs|ts)\b/, reason: JUNCTION },
    { file: 'reference-suite.test.js', reason: KEEP_ALIVE }
  ]
}

/**
 * Returns the reason why a file does not run on a platform; `undefined` if it runs.
 *
 * @param {string} platform
 * @param {string} file
 * @returns {string | undefined}
 */
function omitted (platform, file) {
  return OMITTED[file] ?? OMITTED_ON[platform]?.[file]
}

/**
 * @param {string} platform
 * @param {string} file
 */
function exceptionsOf (platform, file) {
  return (EXCEPTIONS[platform] ?? []).filter((exception) => exception.file === file)
}

/**
 * Returns the first of the exceptions of a file that is about a test.
 *
 * @param {string} name of the test
 * @param {Exception[]} exceptions
 */
function exceptionFor (name, exceptions) {
  return exceptions.find(({ test }) => test === undefined || test.test(name))
}

module.exports = { EXCEPTIONS, OMITTED, OMITTED_ON, exceptionFor, exceptionsOf, omitted }
