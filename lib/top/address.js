'use strict'

/*
 * Parses the url of a server in the command line. Pure.
 */

const DEFAULT_PORT = 4343

/**
 * @typedef {object} Address
 * @property {string} base the url without credentials, query and the name of a page; it ends in a slash
 * @property {{ name: string, password: string } | null} credentials the credentials in the url
 */

/**
 * Returns the address in a text: a url, a host with or without a port, or a port. Returns `null` for any other text. Without
 * a scheme, the default port is 4343. A path is the prefix of a server behind a proxy. If the path ends in the name of a
 * document, this name is removed.
 *
 * @param {string} text
 * @param {boolean} secure true: a text without a scheme gets https
 * @returns {Address | null}
 */
function parseAddress (text, secure) {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const whole = hasScheme ? text : `${secure ? 'https' : 'http'}://${/^:?\d+(\/|$)/.test(text) ? 'localhost:' + text.replace(':', '') : text}`
  if (!URL.canParse(whole)) return null
  const url = new URL(whole)
  if (!['http:', 'https:'].includes(url.protocol) || url.hostname === '') return null
  if (!hasScheme && !/:\d+$/.test(whole.replace(/^\w+:\/\/([^/]*@)?([^/?#]*).*$/, '$2'))) url.port = String(DEFAULT_PORT)
  const credentials = credentialsOf(url)
  if (credentials === undefined) return null
  url.username = ''
  url.password = ''
  url.search = ''
  url.hash = ''
  url.pathname = url.pathname.replace(/\/(metrics|summary\.json|history\.json)$/, '/').replace(/\/*$/, '/')
  return { base: url.href, credentials }
}

/**
 * Returns the credentials of a url, `null` if it has none, and `undefined` if they are not percent-encoded UTF-8.
 *
 * @param {URL} url
 */
function credentialsOf ({ username, password }) {
  if (username === '' && password === '') return null
  try {
    return { name: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    return undefined
  }
}

module.exports = { parseAddress }
