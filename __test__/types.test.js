'use strict'

// Compiles programs with index.d.ts, with the compilers and module settings that projects use. The programs in types/
// mark each error that they expect, so a missing error fails the compilation as well.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')

const FOLDER = path.join(__dirname, 'types')
const COMPILERS = {
  'TypeScript 7': require.resolve('typescript/package.json'),
  'TypeScript 5': require.resolve('typescript-5/package.json')
}
const SETTINGS = {
  nodenext: Object.keys(COMPILERS),
  bundler: Object.keys(COMPILERS),
  esnext: Object.keys(COMPILERS),
  'no-interop': ['TypeScript 5'] // TypeScript 7 always has esModuleInterop on
}

for (const [setting, compilers] of Object.entries(SETTINGS)) {
  for (const compiler of compilers) {
    test(`types: the programs compile with the setting ${setting} under ${compiler}`, async () => {
      const { code, output } = await compile(compiler, `tsconfig.${setting}.json`)
      assert.equal(output, '')
      assert.equal(code, 0)
    })
  }
}

test('types: the JavaScript conforms to its JSDoc and to index.d.ts', async () => {
  const { code, output } = await compile('TypeScript 7', path.join('..', '..', 'tsconfig.json'))
  assert.equal(output, '')
  assert.equal(code, 0)
})

for (const compiler of Object.keys(COMPILERS)) {
  test(`types: ${compiler} refuses a wrong option`, async () => {
    const { code, output } = await compile(compiler, 'tsconfig.mistake.json')
    assert.match(output, /mistake\.cts\(4,\d+\): error TS2322/)
    assert.notEqual(code, 0)
  })
}

/**
 * @param {string} compiler a key of COMPILERS
 * @param {string} project a tsconfig, from FOLDER
 * @returns {Promise<{ code: unknown, output: string }>}
 */
function compile (compiler, project) {
  const tsc = path.join(path.dirname(COMPILERS[compiler]), 'bin', 'tsc')
  const args = [tsc, '--pretty', 'false', '-p', path.join(FOLDER, project)]
  return new Promise(resolve => {
    execFile(process.execPath, args, { cwd: FOLDER, timeout: 120_000 }, (err, stdout, stderr) => {
      resolve({ code: err ? err.code : 0, output: stdout + stderr })
    })
  })
}
