'use strict'

// The platforms of the packages in npm/, and how `npm run platforms` builds and runs each of them on Debian 12.

/**
 * @typedef {object} Platform
 * @property {string} title
 * @property {string} target the triple that is built here
 * @property {string} [published] the triple of the published binary, if it differs from `target`
 * @property {string} [suffix] of the target, for zig: the oldest version of glibc
 * @property {'zig' | 'command'} build `zig`: cargo-zigbuild. `command`: `npx hypertrace-prometheus build` and a GNU linker
 * @property {'node' | 'musl' | 'qemu' | 'qemu-musl' | 'wine'} [run] the way to run Node.js of this platform; absent: it cannot be run here
 * @property {NodeJS.ProcessEnv} [env] of the build
 */

/** A shared library for musl must use the C library of the program that loads it. */
const MUSL = { RUSTFLAGS: '-C target-feature=-crt-static' }
/** The oldest macOS that Node.js 20 supports. rust-objcopy, which removes symbols, is not in Debian's package, so symbols stay. */
const MACOS = { MACOSX_DEPLOYMENT_TARGET: '11.0', CARGO_PROFILE_RELEASE_STRIP: 'none' }

/** @type {Record<string, Platform>} */
const PLATFORMS = {
  'linux-x64-gnu': { title: 'Linux x64 (glibc)', target: 'x86_64-unknown-linux-gnu', suffix: '.2.17', build: 'zig', run: 'node' },
  'linux-x64-musl': { title: 'Linux x64 (musl)', target: 'x86_64-unknown-linux-musl', build: 'zig', run: 'musl', env: MUSL },
  'linux-arm64-gnu': { title: 'Linux arm64 (glibc)', target: 'aarch64-unknown-linux-gnu', suffix: '.2.17', build: 'zig', run: 'qemu' },
  'linux-arm64-musl': { title: 'Linux arm64 (musl)', target: 'aarch64-unknown-linux-musl', build: 'zig', run: 'qemu-musl', env: MUSL },
  'win32-x64-msvc': { title: 'Windows x64', target: 'x86_64-pc-windows-gnu', published: 'x86_64-pc-windows-msvc', build: 'command', run: 'wine' },
  'win32-arm64-msvc': { title: 'Windows arm64', target: 'aarch64-pc-windows-gnullvm', published: 'aarch64-pc-windows-msvc', build: 'zig' },
  'darwin-x64': { title: 'macOS x64', target: 'x86_64-apple-darwin', build: 'zig', env: MACOS },
  'darwin-arm64': { title: 'macOS arm64', target: 'aarch64-apple-darwin', build: 'zig', env: MACOS }
}

module.exports = { PLATFORMS }
