'use strict'

/*
 * Creates certificates for one test with openssl. They are never stored, so none expires. A test that uses them is
 * skipped if `lacks('openssl')` of tools.js says so.
 */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const KEYS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  ed25519: ['-newkey', 'ed25519']
}

/**
 * @typedef {{ cert: string, key: string, files: { cert: string, key: string } }} Pair
 */

/** Creates a factory of certificates, in a folder that `remove()` deletes. */
function createCertificates () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certificates-'))
  const config = path.join(folder, 'openssl.cnf') // the configuration of the machine may have any content
  fs.writeFileSync(config, '[req]\ndistinguished_name = name\n[name]\n')
  let count = 0

  /**
   * @param {string} name
   * @param {string[]} extensions
   * @param {{ by?: Pair, kind?: keyof typeof KEYS }} how by: the issuer; without it the certificate is self-signed
   * @returns {Pair}
   */
  function make (name, extensions, { by, kind = 'ec' }) {
    const files = { cert: path.join(folder, `${count}.crt`), key: path.join(folder, `${count}.key`) }
    count++
    execFileSync('openssl', [
      'req', '-x509', '-config', config, '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...KEYS[kind],
      '-keyout', files.key, '-out', files.cert,
      ...extensions.flatMap((extension) => ['-addext', extension]),
      ...(by === undefined ? [] : ['-CA', by.files.cert, '-CAkey', by.files.key])
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    return { cert: fs.readFileSync(files.cert, 'utf8'), key: fs.readFileSync(files.key, 'utf8'), files }
  }

  /**
   * Creates a client certificate of version 1, as `openssl x509 -req` does.
   *
   * @param {Pair} [by] the issuer; without it the certificate is self-signed
   * @param {keyof typeof KEYS} [kind]
   * @returns {Pair}
   */
  function version1 (by, kind = 'ec') {
    const { key, files } = make('client', [], { kind })
    const request = path.join(folder, `${count}.csr`)
    const run = (/** @type {string[]} */ ...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    run('req', '-new', '-config', config, '-key', files.key, '-subj', '/CN=client', '-out', request)
    const issuer = by === undefined ? ['-signkey', files.key] : ['-CA', by.files.cert, '-CAkey', by.files.key, '-CAcreateserial']
    run('x509', '-req', '-in', request, ...issuer, '-days', '2', '-out', files.cert)
    return { cert: fs.readFileSync(files.cert, 'utf8'), key, files }
  }

  return {
    folder,
    version1,
    authority: (/** @type {string} */ name) => make(name, ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'], {}),
    /** @type {(by?: Pair, kind?: keyof typeof KEYS) => Pair} */
    server: (by, kind) => make('server', ['basicConstraints=CA:FALSE', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1', 'extendedKeyUsage=serverAuth'], { by, kind }),
    /** @type {(by?: Pair) => Pair} */
    client: (by) => make('client', ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth'], { by }),
    /** Returns the key of a pair, encrypted with a password. */
    encrypted: (/** @type {Pair} */ { files }) => execFileSync('openssl', ['pkey', '-in', files.key, '-aes256', '-passout', 'pass:secret-3'], { encoding: 'utf8' }),
    remove: () => fs.rmSync(folder, { recursive: true, force: true })
  }
}

module.exports = { createCertificates }
