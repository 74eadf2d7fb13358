'use strict'

/*
 * Failures of a request as sentences: the cause, then the remedy. Pure. No sentence contains credentials.
 */

const { printable } = require('./text')

/** The failure of a request for a document. */
class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, final?: boolean }} [more] final: another attempt would have the same result
   */
  constructor (message, { status = 0, final = false } = {}) {
    super(message)
    this.status = status
    this.final = final
  }
}

const UNTRUSTED = [
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE'
]
const UNREACHABLE = ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN']

/**
 * @typedef {{ base: string, authorization: string | null, hasClientCertificate: boolean }} Request
 */

/**
 * Returns the failure of a request without a response.
 *
 * @param {any} error
 * @param {Request} request
 */
function failureOfConnection (error, { base, hasClientCertificate }) {
  const code = String(error?.code ?? error?.errors?.[0]?.code ?? '')
  const final = { final: true }
  const { hostname } = new URL(base)
  if (code === 'ECONNREFUSED') return new Failure(`Nothing listens at ${base}. Start the application with the option \`port\`, or give the url of its server.`)
  if (code === 'ENOTFOUND') return new Failure(`The host name ${hostname} does not exist. Give another url.`, final)
  if (code === 'EAI_AGAIN') return new Failure(`The host name ${hostname} cannot be looked up now. Check the network.`)
  if (code === 'TIMEOUT') return new Failure(`${base} has not answered in time.`)
  if (UNREACHABLE.includes(code)) return new Failure(`${base} cannot be reached. Check the host, the network and the firewall.`)
  if (UNTRUSTED.includes(code)) {
    return new Failure(`The certificate of ${base} is not trusted. Give the certificate of its authority with --ca <file>; --insecure skips the check.`, final)
  }
  if (code === 'CERT_HAS_EXPIRED') return new Failure(`The certificate of ${base} has expired. Replace it; --insecure skips the check.`, final)
  if (code === 'CERT_NOT_YET_VALID') return new Failure(`The certificate of ${base} is not valid yet. Check the clocks; --insecure skips the check.`, final)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new Failure(`The certificate of ${base} is not for the host ${hostname}. Give a url with a name of the certificate; --insecure skips the check.`, final)
  }
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN/.test(code)) {
    return new Failure(hasClientCertificate
      ? `${base} rejected the client certificate. Give another one, signed by an authority that the server trusts, with --cert and --key.`
      : `${base} asks for a client certificate. Give a certificate and its key with --cert <file> and --key <file>.`, final)
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|^EPROTO$/.test(code)) {
    return new Failure(`${base} does not speak TLS. Use ${base.replace(/^https/, 'http')}`, final)
  }
  if (code.startsWith('HPE_')) return new Failure(`${base} does not speak HTTP. Give the url of the server of hypertrace-prometheus.`, final)
  const why = printable(String(error?.message ?? 'no reason'))
  return new Failure(`The connection to ${base} failed: ${code !== '' && !why.includes(code) ? `${code}, ` : ''}${why}.`)
}

/**
 * Returns the failure of a response that is not 200.
 *
 * @param {{ status: number, text: string, location?: string, scheme?: string }} response scheme: the header WWW-Authenticate
 * @param {Request} request
 */
function failureOfStatus ({ status, text, location, scheme = '' }, { base, authorization }) {
  const sentence = printable(text.trim().split('\n')[0])
  const final = { status, final: true }
  if (status === 401) {
    const form = /^bearer/i.test(scheme)
      ? 'a token: set HYPERTRACE_TOP_BEARER=<token>, or give --bearer <token>'
      : 'a user and a password: set HYPERTRACE_TOP_USER=<name:password>, or give --user <name:password>'
    return new Failure(`${base} ${authorization === null ? 'asks for' : 'rejected the credentials. It asks for'} ${form}.`, final)
  }
  if (status >= 300 && status < 400 && location !== undefined) {
    return new Failure(`${base} redirects to another url. Give that url: ${printable(location)}`, final)
  }
  if (status === 400 && text.includes('HTTPS')) return new Failure(`${base} speaks TLS. Use ${base.replace(/^http:/, 'https:')}`, final)
  if (status === 400 || status === 403) return new Failure(`${base} refused the request: ${sentence}`, final)
  if (status === 404) {
    return new Failure(`There is no /summary.json at ${base}. Give the url of the server of hypertrace-prometheus 2 or newer.`, final)
  }
  return new Failure(`${base} answered with the status ${status}: ${sentence || 'no text'}`, { status })
}

/** @param {Request} request */
function failureOfContent ({ base }) {
  return new Failure(`${base} is not a server of hypertrace-prometheus, or it has a version that this program cannot read. Give another url.`, { final: true })
}

module.exports = { Failure, failureOfConnection, failureOfContent, failureOfStatus }
