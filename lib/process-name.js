'use strict'

const RUNTIMES = ['node', 'bun', 'deno', 'bare']

/**
 * Returns the name of a process: its title, if the application has set one, else the file name of its script. On
 * Windows the title is that of the console window, so it is not used.
 *
 * @param {any} [proc]
 * @returns {string | undefined}
 */
function processName (proc = /** @type {any} */ (globalThis).process ?? /** @type {any} */ (globalThis).Bare) {
  try {
    const { title, argv, execPath, platform } = proc
    const isSet = typeof title === 'string' && title !== '' && platform !== 'win32' && !isCommand(title, execPath)
    return isSet ? title : fileName(argv[1]) ?? fileName(argv[0])
  } catch {}
}

/**
 * Returns whether nobody has set this title: then it is the command line, or the first word of the command line.
 *
 * @param {string} title
 * @param {unknown} execPath
 */
function isCommand (title, execPath) {
  const program = fileName(title.split(' ')[0])
  return title === execPath || program === fileName(execPath) || RUNTIMES.some((name) => name === program)
}

/**
 * Returns the last part of a path.
 *
 * @param {unknown} path
 */
function fileName (path) {
  return typeof path === 'string' ? path.split(/[\\/]/).pop() : undefined
}

module.exports = processName
