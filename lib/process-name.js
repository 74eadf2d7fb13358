'use strict'

/**
 * Returns the name that people know a process by: its title, if the application has set one, else the file
 * name of its script.
 *
 * @param {any} [proc]
 * @returns {string | undefined}
 */
function processName (proc = globalThis.process) {
  try {
    const { title, argv, execPath } = proc
    const script = fileName(argv[1])
    const isSet = typeof title === 'string' && title !== '' && !isDefault(title, argv[0], execPath)
    return isSet ? title : script || fileName(argv[0]) || undefined
  } catch {}
}

/**
 * Returns whether a title is that of a process which has not set one: the program, or the command line.
 *
 * @param {string} title
 * @param {unknown} program
 * @param {unknown} path
 */
function isDefault (title, program, path) {
  const names = ['node', 'bun', 'deno', 'bare', String(program), String(path), fileName(program), fileName(path)]
  return names.some((name) => name !== undefined && (title === name || title.startsWith(`${name} `)))
}

/** @param {unknown} path */
function fileName (path) {
  return typeof path === 'string' ? path.split(/[\\/]/).pop() : undefined
}

module.exports = processName
