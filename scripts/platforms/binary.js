'use strict'

// Reads which machine a binary is for and which libraries it needs, from ELF, PE and Mach-O files of 64 bits.
// `node scripts/platforms/binary.js <file>...` checks the binaries of a release and prints what they need.

const fs = require('node:fs')
const path = require('node:path')

/**
 * @typedef {object} Binary
 * @property {'linux' | 'win32' | 'darwin'} system
 * @property {string} arch
 * @property {string[]} libraries
 * @property {string} [glibc] the newest version of glibc that a symbol requires
 * @property {string} [macos] the oldest macOS
 * @property {boolean} [isSigned] whether a Mach-O file has a signature
 */

const ARCHES = new Map([[62, 'x64'], [183, 'arm64'], [0x8664, 'x64'], [0xaa64, 'arm64'], [0x01000007, 'x64'], [0x0100000c, 'arm64']])
const NEWEST_GLIBC = '2.17'
const OLDEST_MACOS = '11.0'

/** The libraries that every system of the kind has. */
const SYSTEM_LIBRARIES = {
  'linux-gnu': /^(lib(c|m|pthread|dl|rt|gcc_s)\.so\.\d+|ld-linux-[\w-]+\.so\.\d+)$/,
  'linux-musl': /^(libc\.so|libc\.musl-\w+\.so\.1|libgcc_s\.so\.1)$/,
  // vcruntime140.dll is not in the list, because only Visual C++ installs it.
  win32: /^(api-ms-win-[\w-]+|kernel32|ntdll|advapi32|bcrypt|bcryptprimitives|msvcrt|user32|userenv|ws2_32|crypt32|secur32)\.dll$/i,
  darwin: /^\/(usr\/lib|System\/Library)\//
}

/**
 * @param {Buffer} bytes
 * @returns {Binary}
 */
function inspect (bytes) {
  if (bytes.readUInt32BE(0) === 0x7f454c46) return inspectElf(bytes)
  if (bytes.readUInt16BE(0) === 0x4d5a) return inspectPe(bytes)
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return inspectMachO(bytes)
  throw new Error('no binary of Linux, Windows or macOS')
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function textAt (bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}

/** @param {number | undefined} machine */
function archOf (machine) {
  return ARCHES.get(machine ?? 0) ?? `machine ${machine}`
}

/**
 * @param {Buffer} bytes
 * @returns {Binary}
 */
function inspectElf (bytes) {
  const first = Number(bytes.readBigUInt64LE(40))
  const [size, count] = [bytes.readUInt16LE(58), bytes.readUInt16LE(60)]
  const sections = Array.from({ length: count }, (_, index) => {
    const at = first + index * size
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      length: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40)
    }
  })
  const ofType = (/** @type {number} */ type) => sections.filter((section) => section.type === type)
  const libraries = []
  for (const { offset, length, link } of ofType(6)) { // SHT_DYNAMIC
    for (let at = offset; at < offset + length; at += 16) {
      const isNeeded = bytes.readBigUInt64LE(at) === 1n
      if (isNeeded) libraries.push(textAt(bytes, sections[link].offset + Number(bytes.readBigUInt64LE(at + 8))))
    }
  }
  const versions = ofType(0x6ffffffe).flatMap(({ offset, link }) => versionsNeeded(bytes, offset, sections[link].offset)) // SHT_GNU_verneed
  const glibc = versions.filter((name) => /^GLIBC_[\d.]+$/.test(name)).map((name) => name.slice(6)).sort(compareVersions).at(-1)
  return { system: 'linux', arch: archOf(bytes.readUInt16LE(18)), libraries, ...glibc && { glibc } }
}

/**
 * @param {Buffer} bytes
 * @param {number} at the first entry
 * @param {number} names
 */
function versionsNeeded (bytes, at, names) {
  const found = []
  for (;;) {
    for (let aux = at + bytes.readUInt32LE(at + 8); ;) {
      found.push(textAt(bytes, names + bytes.readUInt32LE(aux + 8)))
      const next = bytes.readUInt32LE(aux + 12)
      if (next === 0) break
      aux += next
    }
    const next = bytes.readUInt32LE(at + 12)
    if (next === 0) return found
    at += next
  }
}

/**
 * @param {Buffer} bytes
 * @returns {Binary}
 */
function inspectPe (bytes) {
  const header = bytes.readUInt32LE(0x3c) + 4
  const optional = header + 20
  const sections = Array.from({ length: bytes.readUInt16LE(header + 2) }, (_, index) => {
    const at = optional + bytes.readUInt16LE(header + 16) + index * 40
    return { address: bytes.readUInt32LE(at + 12), length: bytes.readUInt32LE(at + 16), offset: bytes.readUInt32LE(at + 20) }
  })
  const offsetOf = (/** @type {number} */ address) => {
    const section = sections.find((one) => address >= one.address && address < one.address + one.length)
    if (section === undefined) throw new Error(`no section has the address ${address}`)
    return address - section.address + section.offset
  }
  const libraries = []
  const imports = bytes.readUInt32LE(optional + 112 + 8)
  for (let at = imports === 0 ? 0 : offsetOf(imports); at !== 0; at += 20) {
    const name = bytes.readUInt32LE(at + 12)
    if (name === 0) break
    libraries.push(textAt(bytes, offsetOf(name)))
  }
  return { system: 'win32', arch: archOf(bytes.readUInt16LE(header)), libraries }
}

/**
 * @param {Buffer} bytes
 * @returns {Binary}
 */
function inspectMachO (bytes) {
  /** @type {Binary} */
  const binary = { system: 'darwin', arch: archOf(bytes.readUInt32LE(4)), libraries: [], isSigned: false }
  let at = 32
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const command = bytes.readUInt32LE(at)
    if ([0x0c, 0x80000018, 0x8000001f].includes(command)) binary.libraries.push(textAt(bytes, at + bytes.readUInt32LE(at + 8))) // LC_LOAD_DYLIB
    if (command === 0x24) binary.macos = versionOf(bytes.readUInt32LE(at + 8)) // LC_VERSION_MIN_MACOSX
    if (command === 0x32) binary.macos = versionOf(bytes.readUInt32LE(at + 12)) // LC_BUILD_VERSION
    if (command === 0x1d) binary.isSigned = true // LC_CODE_SIGNATURE
    at += bytes.readUInt32LE(at + 4)
  }
  return binary
}

/** @param {number} number */
function versionOf (number) {
  return `${number >>> 16}.${(number >>> 8) & 0xff}`
}

/**
 * @param {string} one
 * @param {string} other
 */
function compareVersions (one, other) {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number))
  return a[0] - b[0] || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0)
}

/**
 * Returns the reasons why a binary cannot be the binary of a platform.
 *
 * @param {Binary} binary
 * @param {string} platform the name of a folder in npm/
 * @returns {string[]}
 */
function faults (binary, platform) {
  const [system, arch, library] = platform.split('-')
  const key = /** @type {keyof typeof SYSTEM_LIBRARIES} */ (system === 'linux' ? `linux-${library}` : system)
  const found = []
  if (binary.system !== system || binary.arch !== arch) found.push(`it is for ${binary.system} on ${binary.arch}`)
  for (const name of binary.libraries) {
    if (!SYSTEM_LIBRARIES[key].test(name)) found.push(`it needs ${name}, which not every system has`)
  }
  if (library === 'gnu' && compareVersions(binary.glibc ?? '0', NEWEST_GLIBC) > 0) found.push(`it needs glibc ${binary.glibc}`)
  if (system === 'darwin' && compareVersions(binary.macos ?? '99', OLDEST_MACOS) > 0) found.push(`it needs macOS ${binary.macos}`)
  if (platform === 'darwin-arm64' && !binary.isSigned) found.push('it has no signature, without which macOS on arm64 loads nothing')
  return found
}

/** @param {Binary} binary */
function describe ({ libraries, glibc, macos }) {
  return [...namesOf(libraries), ...glibc ? [`glibc ${glibc}`] : [], ...macos ? [`macOS ${macos}`] : []].join(', ')
}

/**
 * The names of libraries, each once: Windows does not distinguish cases, and an import table may name a library twice.
 *
 * @param {string[]} libraries
 */
function namesOf (libraries) {
  const names = new Map(libraries.map((name) => [path.posix.basename(name).toLowerCase(), path.posix.basename(name)]))
  return [...names.values()].sort()
}

function main () {
  for (const file of process.argv.slice(2)) {
    const platform = path.basename(file).split('.')[1]
    const binary = inspect(fs.readFileSync(file))
    console.log(`${platform}: ${describe(binary)}`)
    for (const fault of faults(binary, platform)) {
      console.error(`${file}: ${fault}`)
      process.exitCode = 1
    }
  }
  if (process.argv.length < 3) {
    console.error('Usage: node scripts/platforms/binary.js <file>...')
    process.exitCode = 1
  }
}

module.exports = { describe, faults, inspect }

if (require.main === module) main()
