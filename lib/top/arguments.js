'use strict'

/*
 * The command line of `top` and its environment variables. Pure: files are read later.
 */

const { parseArgs } = require('node:util')
const { nearest } = require('../spelling')
const { parseAddress } = require('./address')
const { VIEWS, viewOf } = require('./views')

const DEFAULT_URL = 'http://localhost:4343'

const HELP = `Usage: npx hypertrace-prometheus top [options] [url]

Shows what a process with hypertrace-prometheus calls: calls per second, stalls of the event loop, the busiest functions.
The url is that of the server, by default ${DEFAULT_URL}. A host, a port and host:port are urls too.

  --once                 print one snapshot as plain text and end; the default without a terminal
  --sort <order>         rate (default) or total
  --window <seconds>     the time over which rates are computed, 1 to 900, default 5
  --by <labels>          labels to group by, separated by commas: object_classname,caller_functionname by default
  --search <text>        only rows with this text in a label
  --rows <number>        the rows of a snapshot, 1 to 1000, default 20

  --user <name:password> credentials; other users can see arguments, so prefer the variable HYPERTRACE_TOP_USER
  --bearer <token>       a token; prefer the variable HYPERTRACE_TOP_BEARER
  --ca <file>            the certificate of the authority that signed the server's certificate
  --cert <file>, --key <file>
                         the client certificate and its key
  --insecure             do not verify the server's certificate

  --no-color             no colours and no bold text, as with the variable NO_COLOR
  --help                 this text

Keys: s sort, / search, g group, w window, p pause, arrows scroll, ? help, q quit.
Exit codes: 0 after a snapshot or the key q; 1 after an error; 128 plus the number of the signal after a signal.
`

/** @type {Record<string, { type: 'string' | 'boolean', short?: string }>} */
const OPTIONS = {
  once: { type: 'boolean' },
  sort: { type: 'string' },
  window: { type: 'string' },
  by: { type: 'string' },
  search: { type: 'string' },
  rows: { type: 'string' },
  user: { type: 'string' },
  bearer: { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  insecure: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' }
}

/**
 * @typedef {object} TopOptions
 * @property {string} base the url of the server, which ends in a slash and has no credentials
 * @property {boolean} once
 * @property {number} rows the number of rows of a snapshot
 * @property {import('./views').Settings} settings
 * @property {string | null} authorization the header's value
 * @property {{ ca?: string, cert?: string, key?: string }} files
 * @property {boolean} insecure
 * @property {boolean} color
 * @property {boolean} unicode
 */

/** A fault of the command line. Its message contains no credentials. */
class UsageError extends Error {}

/**
 * Returns the options of a command line, or the text of the help if the command line has `--help`.
 *
 * @param {string[]} argv
 * @param {NodeJS.ProcessEnv} env
 * @returns {TopOptions | string}
 * @throws {UsageError}
 */
function parseArguments (argv, env) {
  const { values, positionals } = parse(argv)
  if (values.help === true) return HELP
  if (positionals.length > 1) throw new UsageError('Give one url only.')
  const text = (/** @type {string} */ name) => /** @type {string | undefined} */ (values[name])
  const files = { ca: text('ca'), cert: text('cert'), key: text('key') }
  if ((files.cert === undefined) !== (files.key === undefined)) throw new UsageError('--cert and --key belong together: give both.')

  const insecure = values.insecure === true
  const secure = insecure || Object.values(files).some((file) => file !== undefined)
  const address = parseAddress(positionals[0] ?? DEFAULT_URL.replace(/^http/, secure ? 'https' : 'http'), secure)
  if (address === null) throw new UsageError(`This is not the url of a server. Example: ${DEFAULT_URL}`)
  if (secure && address.base.startsWith('http:')) throw new UsageError('--ca, --cert, --key and --insecure need a url with https://')

  return {
    base: address.base,
    once: values.once === true,
    rows: wholeNumber('--rows', text('rows') ?? '20', 1000),
    settings: {
      order: orderOf(text('sort') ?? 'rate'),
      window: wholeNumber('--window', text('window') ?? '5', 900),
      search: text('search') ?? '',
      view: text('by') === undefined ? VIEWS[0] : viewOf(labelsOf(text('by') ?? ''))
    },
    authorization: authorizationOf(text('user'), text('bearer'), address.credentials, env),
    files,
    insecure,
    color: values['no-color'] !== true && (env.NO_COLOR ?? '') === '',
    unicode: showsUnicode(env)
  }
}

/** @param {string[]} argv */
function parse (argv) {
  try {
    return parseArgs({ args: argv, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new UsageError(usageMessage(error, argv))
  }
}

/**
 * Returns a message for an error of `parseArgs`. The message contains no values of options, which may be passwords.
 *
 * @param {any} error
 * @param {string[]} argv
 */
function usageMessage (error, argv) {
  const names = argv.filter((argument) => /^--?[a-z]/i.test(argument)).map((argument) => argument.replace(/=.*/s, ''))
  if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const unknown = names.find((name) => name !== '-h' && !(name.slice(2) in OPTIONS)) ?? 'with this name'
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(OPTIONS))
    return `There is no option ${unknown}.${near === undefined ? '' : ` Did you mean --${near}?`}`
  }
  const wrong = names.find((name) => error.message?.includes(`${name} `) || error.message?.includes(`'${name}`))
  return wrong === undefined ? 'The arguments are wrong.' : `The option ${wrong} ${OPTIONS[wrong.slice(2)]?.type === 'boolean' ? 'takes no value' : 'needs a value'}.`
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} max
 */
function wholeNumber (name, text, max) {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN
  if (!(number >= 1 && number <= max)) throw new UsageError(`${name} must be a whole number from 1 to ${max}.`)
  return number
}

/**
 * @param {string} text
 * @returns {import('./views').Order}
 */
function orderOf (text) {
  if (text !== 'rate' && text !== 'total') throw new UsageError('--sort must be rate or total.')
  return text
}

/** @param {string} text */
function labelsOf (text) {
  const labels = text.split(',').map((label) => label.trim()).filter((label) => label !== '')
  if (labels.length === 0) throw new UsageError('--by needs the names of labels, separated by commas.')
  return labels
}

/**
 * Returns the header for the credentials. They are taken from the arguments, else from the url, else from the environment.
 *
 * @param {string | undefined} user
 * @param {string | undefined} bearer
 * @param {{ name: string, password: string } | null} ofUrl
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | null}
 */
function authorizationOf (user, bearer, ofUrl, env) {
  if (user !== undefined && bearer !== undefined) throw new UsageError('Give --user or --bearer, not both.')
  if (user !== undefined) return basic(user, '--user')
  if (bearer !== undefined) return token(bearer, '--bearer')
  if (ofUrl !== null) return basic(`${ofUrl.name}:${ofUrl.password}`, 'The user of the url')
  const { HYPERTRACE_TOP_USER: userOfEnv, HYPERTRACE_TOP_BEARER: bearerOfEnv } = env
  if (userOfEnv && bearerOfEnv) throw new UsageError('Set HYPERTRACE_TOP_USER or HYPERTRACE_TOP_BEARER, not both.')
  if (userOfEnv) return basic(userOfEnv, 'HYPERTRACE_TOP_USER')
  if (bearerOfEnv) return token(bearerOfEnv, 'HYPERTRACE_TOP_BEARER')
  return null
}

/**
 * @param {string} user
 * @param {string} source
 */
function basic (user, source) {
  // eslint-disable-next-line no-control-regex
  if (!/^[^:]+:[^]+$/.test(user) || /[\x00-\x1f\x7f]/.test(user)) {
    throw new UsageError(`${source} must have the form name:password, without control characters such as a line feed at the end.`)
  }
  return `Basic ${Buffer.from(user).toString('base64')}`
}

/**
 * @param {string} text
 * @param {string} source
 */
function token (text, source) {
  if (!/^[\x21-\x7e]+$/.test(text)) throw new UsageError(`${source} must have visible ASCII characters only, and no line feed at the end.`)
  return `Bearer ${text}`
}

/**
 * Returns whether the locale has Unicode. Returns true without a locale, as in many containers.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function showsUnicode (env) {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return locale === '' || /utf-?8/i.test(locale)
}

module.exports = { DEFAULT_URL, OPTIONS, UsageError, parseArguments }
