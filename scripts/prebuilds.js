'use strict'

// The folder `prebuilds`, in which Bare looks for addons: `prebuilds/<host>/hypertrace-prometheus.node`. The published
// package has the binary of each host of Bare (`scripts/pack.js`). In a checkout, `node scripts/prebuilds.js` links the
// binary that was built here into it; `npm run build` does that too.

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.dirname(__dirname)
const BINARY = /^hypertrace-prometheus\.(.+)\.node$/

/**
 * Returns the host of Bare that loads the binary of a platform; `undefined` for musl, for which npm has no Bare.
 *
 * @param {string} platform a folder of `npm/`
 * @returns {string | undefined}
 */
function hostOf (platform) {
  const [system, arch, library] = platform.split('-')
  return library === 'musl' ? undefined : `${system}-${arch}`
}

/**
 * @param {string} folder of a package
 * @param {string} host
 */
function prebuildOf (folder, host) {
  return path.join(folder, 'prebuilds', host, 'hypertrace-prometheus.node')
}

/** Returns the platforms for which there is a binary in this checkout. */
function builtPlatforms () {
  return fs.readdirSync(ROOT).map((name) => BINARY.exec(name)?.[1]).filter((platform) => platform !== undefined)
}

function main () {
  for (const platform of builtPlatforms()) {
    const host = hostOf(platform)
    if (host === undefined) continue
    const file = prebuildOf(ROOT, host)
    const binary = path.join(ROOT, `hypertrace-prometheus.${platform}.node`)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.rmSync(file, { force: true })
    // Windows lets few users create symbolic links.
    if (process.platform === 'win32') fs.copyFileSync(binary, file)
    else fs.symlinkSync(path.relative(path.dirname(file), binary), file)
  }
}

module.exports = { builtPlatforms, hostOf, prebuildOf }

if (require.main === module) main()
