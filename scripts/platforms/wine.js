'use strict'

// Wine, with a prefix of this project, and Node.js for Windows in it.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { fileOf, unpack } = require('./debian')
const { FOLDER, ROOT, run } = require('./folders')
const { mingw } = require('./toolchain')

const KEEP_ALIVE = path.join(__dirname, 'keep-alive.js')
const PREFIX = path.join(FOLDER, 'wine-prefix')
/** The source of a library of Windows that the standard library of Rust needs and that Wine 8 lacks. */
const STUB = path.join(__dirname, 'bcryptprimitives.c')

/**
 * @param {string} node node.exe
 * @returns {Omit<import('./runtimes').Runtime, 'node'>}
 */
function prepareWine (node) {
  const folder = unpack('wine', { packages: ['wine64'] })
  const wine = fileOf(folder, 'usr/lib/wine/wine64')
  const server = fileOf(folder, 'usr/lib/wine/wineserver64')
  if (wine.startsWith(folder)) {
    // Wine would start this script, which contains fixed paths.
    fs.rmSync(path.join(path.dirname(wine), 'wineserver'), { force: true })
    fs.symlinkSync('wineserver64', path.join(path.dirname(wine), 'wineserver'))
  }
  const zlib = fileOf(folder, 'usr/x86_64-w64-mingw32/lib/zlib1.dll')
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: path.join(folder, 'usr', 'lib', 'x86_64-linux-gnu'),
    WINELOADER: wine,
    WINESERVER: server,
    WINEDLLPATH: path.dirname(zlib),
    WINEPREFIX: PREFIX,
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree,mshtml=', // without this, Wine asks to download them
    NODE_SKIP_PLATFORM_CHECK: '1',
    NODE_OPTIONS: `--require=${JSON.stringify(pathOf(KEEP_ALIVE))}`,
    DISPLAY: ''
  }
  const system = path.join(PREFIX, 'drive_c', 'windows', 'system32')
  const library = path.join(system, 'bcryptprimitives.dll')
  if (!fs.existsSync(library)) {
    fs.rmSync(PREFIX, { recursive: true, force: true })
    // This command creates the prefix. At its end it fails, because the programs of 32 bits are not installed.
    spawnSync(wine, ['wineboot', '-i'], { env, timeout: 300_000, stdio: 'ignore' })
    // This project gets a drive of its own, because drive Z also contains Linux's /proc.
    fs.symlinkSync(ROOT, path.join(PREFIX, 'dosdevices', 'p:'))
    fs.copyFileSync(zlib, path.join(system, 'zlib1.dll'))
    run(wine, ['winecfg', '-v', 'win10'], { env, timeout: 300_000 })
    const gcc = String(mingw([]).CC_x86_64_pc_windows_gnu)
    run(gcc, ['-O1', '-shared', '-nostartfiles', '-Wl,-eDllMainCRTStartup', STUB, '-ladvapi32', '-o', library])
  }
  const command = path.join(FOLDER, 'node-wine')
  fs.writeFileSync(command, `#!/bin/sh\nexec '${wine}' '${node}' "$@"\n`, { mode: 0o755 })
  return {
    command,
    env,
    under: run(wine, ['--version'], { env }).trim().replace(/^wine-(\S+).*/, 'Wine $1'),
    pathOf,
    end: () => { spawnSync(server, ['-k'], { env, stdio: 'ignore' }) }
  }
}

/** @param {string} file of this project */
function pathOf (file) {
  return `P:\\${path.relative(ROOT, file).replaceAll('/', '\\')}`
}

module.exports = { prepareWine }
