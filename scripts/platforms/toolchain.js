'use strict'

// The compilers. Debian has a Rust compiler together with the source of the standard library, so that every
// target can be built without another download. mingw links for Windows x64, and zig for all other targets.

const fs = require('node:fs')
const path = require('node:path')
const { fileOf, unpack } = require('./debian')
const { FOLDER, ROOT, run } = require('./folders')

const REQUIREMENTS = path.join(ROOT, '.ci', 'zig.txt')

/**
 * Installs what a build needs, and returns its environment.
 *
 * @param {import('./platforms').Platform} platform
 * @returns {NodeJS.ProcessEnv}
 */
function toolchain (platform) {
  const rust = unpack('rust', { packages: ['rustc-web', 'cargo-web', 'rust-web-src'] })
  const bin = [path.join(rust, 'usr', 'bin')]
  if (platform.build === 'zig') bin.push(zig())
  const { RUSTUP_TOOLCHAIN, CARGO, RUSTFLAGS, ...env } = process.env
  return {
    ...env,
    ...platform.build === 'command' ? mingw(bin) : {},
    ...platform.target.endsWith('-windows-gnullvm') ? { LIBNODE_PATH: emptyLibraries() } : {},
    PATH: [...bin, env.PATH].join(':'),
    LD_LIBRARY_PATH: [path.join(rust, 'usr', 'lib', 'x86_64-linux-gnu'), path.join(rust, 'usr', 'lib')].join(':'),
    RUSTC: fileOf(rust, 'usr/bin/rustc'),
    CARGO: fileOf(rust, 'usr/bin/cargo'),
    // Builds the standard library, which the stable compiler allows with this variable.
    RUSTC_BOOTSTRAP: '1',
    CARGO_UNSTABLE_BUILD_STD: 'std,panic_unwind',
    CARGO_TARGET_DIR: path.join(FOLDER, 'build'),
    ...platform.env
  }
}

/** Returns a folder with empty libraries that the linker requires: see lib/build-addon.js. */
function emptyLibraries () {
  const folder = path.join(FOLDER, 'empty-libraries')
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'libnode.dll'), '')
  for (const name of ['libnode.a', 'libnode.dll.a', 'libssp_nonshared.a']) fs.writeFileSync(path.join(folder, name), '!<arch>\n')
  return folder
}

/** Returns the folder of cargo-zigbuild and of the Python that has zig. */
function zig () {
  const venv = path.join(FOLDER, 'zig')
  const stamp = path.join(venv, 'requirements.txt')
  const text = fs.readFileSync(REQUIREMENTS, 'utf8')
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== text) {
    run('python3', ['-m', 'venv', '--clear', venv])
    run(path.join(venv, 'bin', 'pip'), ['install', '--quiet', '--retries', '5', '--requirement', REQUIREMENTS])
    fs.writeFileSync(stamp, text)
  }
  return path.join(venv, 'bin')
}

/**
 * @param {string[]} bin the folder of the linker is added
 * @returns {NodeJS.ProcessEnv}
 */
function mingw (bin) {
  const folder = unpack('mingw', { packages: ['gcc-mingw-w64-x86-64-posix'] })
  bin.push(path.join(folder, 'usr', 'bin'))
  const gcc = fileOf(folder, 'usr/bin/x86_64-w64-mingw32-gcc-posix')
  return { CC_x86_64_pc_windows_gnu: gcc, CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER: gcc }
}

module.exports = { mingw, toolchain, zig }
