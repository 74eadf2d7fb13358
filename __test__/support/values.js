'use strict'

/*
 * Values that an application may pass to `trace()` as a prop or an id, or in any field of a hand-made payload.
 *
 * The reference accepts `plainValues`, and throws into the application on `throwingValues`. Each call creates a new
 * value, as an application does.
 */

const EURO_CUT_SHORT = Buffer.from('e282', 'hex')

class Named {
  constructor (name) { this.name = name }
  toString () { return `Named(${this.name})` }
}

/** @type {Array<[string, () => unknown]>} */
const plainValues = [
  ['a short string', () => 'get'],
  ['another short string', () => 'append'],
  ['an empty string', () => ''],
  ['a space', () => ' '],
  ['quotes', () => 'say "hi"'],
  ['backslashes', () => 'C:\\temp\\new\\'],
  ['a backslash before a quote', () => '\\"'],
  ['a newline', () => 'one\ntwo'],
  ['a backslash and an n', () => 'one\\ntwo'],
  ['carriage return and tab', () => 'a\r\n\tb'],
  ['NUL', () => 'a\0b'],
  ['control characters', () => '\x01\x02\x1b[31m\x7f\x85'],
  ['line separators', () => 'a\u2028b\u2029c'],
  ['a text that looks like labels', () => 'x",id="y"} 9\n# TYPE z counter'],
  ['braces and commas', () => '{a="b",c="d"}'],
  ['an astral character', () => '\u{1f600}\u{10ffff}'],
  ['a byte order mark', () => '\ufeffx\uffff\ufffd'],
  ['right to left', () => 'שלום\u202eabc'],
  ['combining', () => 'e\u0301'],
  ['composed', () => '\u00e9'],
  ['Latin-1', () => 'Grüße £'],
  ['a lone high surrogate', () => 'x\ud83dy'],
  ['a lone low surrogate', () => 'x\ude00'],
  ['surrogates the wrong way round', () => '\ude00\ud83d'],
  ['a String object', () => Object('boxed "q"\n')],
  ['zero', () => 0],
  ['minus zero', () => -0],
  ['one', () => 1],
  ['one as a string', () => '1'],
  ['a fraction', () => 0.1 + 0.2],
  ['a large number', () => 1e21],
  ['a small number', () => 5e-324],
  ['the largest safe integer', () => Number.MAX_SAFE_INTEGER],
  ['a negative number', () => -42],
  ['NaN', () => NaN],
  ['Infinity', () => Infinity],
  ['-Infinity', () => -Infinity],
  ['true', () => true],
  ['false', () => false],
  ['null', () => null],
  ['the word null', () => 'null'],
  ['the word undefined', () => 'undefined'],
  ['undefined', () => undefined],
  ['a BigInt', () => 12345678901234567890n],
  ['BigInt zero', () => 0n],
  ['an object', () => ({ a: 1 })],
  ['an object with toString', () => new Named('x')],
  ['an object whose toString needs escapes', () => ({ toString: () => 'a"b\\c\nd' })],
  ['an object whose toString gives a number', () => ({ toString: () => 7 })],
  ['an object whose toString gives the empty string', () => ({ toString: () => '' })],
  ['an object whose toString gives null', () => ({ toString: () => null })],
  ['an object with toPrimitive', () => ({ [Symbol.toPrimitive]: (hint) => `hint ${hint}` })],
  ['an object with valueOf', () => ({ valueOf: () => 9 })],
  ['an object with toStringTag', () => ({ [Symbol.toStringTag]: 'Tag"\n' })],
  ['an array', () => [1, 2, 3]],
  ['an empty array', () => []],
  ['an array of strings that need escapes', () => ['a"b', 'c\\d', 'e\nf']],
  ['a nested array', () => [1, [2, [3, [null, undefined]]], { a: 1 }]],
  ['an array that holds itself', () => { const a = [1]; a.push(a); return a }],
  ['a sparse array', () => [, 1, , 2]], // eslint-disable-line no-sparse-arrays
  ['a Buffer of text', () => Buffer.from('hello "core"\n')],
  ['an empty Buffer', () => Buffer.alloc(0)],
  ['a Buffer of zeros', () => Buffer.alloc(4)],
  ['a Buffer of UTF-8', () => Buffer.from('Grüße 😀')],
  ['a key', () => Buffer.from('8f1f0a43c5b1d2e3f4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b', 'hex')],
  ['a Buffer of 0xff', () => Buffer.alloc(3, 0xff)],
  ['a Buffer that ends inside a character', () => Buffer.from(EURO_CUT_SHORT)],
  ['a Buffer with an encoded surrogate', () => Buffer.from('eda080', 'hex')],
  ['a Uint8Array', () => new Uint8Array([1, 2, 255])],
  ['a Float64Array', () => new Float64Array([1.5, -0, NaN])],
  ['an ArrayBuffer', () => new ArrayBuffer(8)],
  ['a Date', () => new Date(0)],
  ['an invalid Date', () => new Date(NaN)],
  ['a regular expression', () => /a"\\b\n/g],
  ['a function', () => function named (a) { return `${a}"` }],
  ['an arrow function over lines', () => () => {
    return '\\'
  }],
  ['a class', () => class Traced { static x = '"' }],
  ['an error', () => new TypeError('bad "x"\nline two')],
  ['a Map', () => new Map([[1, 2]])],
  ['a Set', () => new Set([1])],
  ['a promise', () => Promise.resolve()],
  ['a proxy', () => new Proxy({}, {})],
  ['a generator', () => (function * () {})()],
  ['a URL', () => new URL('http://example.com/?q="')],
  ['the global object', () => globalThis],
  ['a 2,000 character string', () => 'abcdefghij'.repeat(200)],
  ['a string of 1,024 units', () => 'x'.repeat(1024)],
  ['a string of 1,025 units', () => 'x'.repeat(1025)],
  ['a long string with an astral character over the limit', () => 'x'.repeat(1023) + '😀' + 'y'.repeat(10)],
  ['a long string of escapes', () => '\\"\n'.repeat(1000)],
  ['a long array', () => Array.from({ length: 2000 }, (_, i) => i)],
  ['a Buffer of 64 KiB of text', () => Buffer.alloc(65536, 'text ')],
  ['a Buffer of 64 KiB of 0xfe', () => Buffer.alloc(65536, 0xfe)]
]

const fail = () => { throw new Error('thrown by the value') }

/** @type {Array<[string, () => unknown]>} */
const throwingValues = [
  ['a Symbol', () => Symbol('s')],
  ['a registered Symbol', () => Symbol.for('"\n')],
  ['a Symbol without description', () => Symbol()], // eslint-disable-line symbol-description
  ['a null-prototype object', () => Object.create(null)],
  ['a null-prototype object with fields', () => Object.assign(Object.create(null), { a: 1 })],
  ['a throwing toString', () => ({ toString: fail })],
  ['a throwing toPrimitive', () => ({ [Symbol.toPrimitive]: fail })],
  ['a toString that throws a non-error', () => ({ toString () { throw null } })], // eslint-disable-line no-throw-literal
  ['a toString that gives an object', () => ({ toString: () => ({}), valueOf: () => ({}) })],
  ['a toString that gives a Symbol', () => ({ toString: () => Symbol('inner') })],
  ['a toString that is no function', () => ({ toString: 1, valueOf: 2 })],
  ['a throwing toString getter', () => ({ get toString () { return fail() } })],
  ['a throwing toStringTag getter', () => ({ get [Symbol.toStringTag] () { return fail() } })],
  ['a proxy that throws at everything', () => new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail })],
  ['a revoked proxy', () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy }],
  ['a revoked proxy of an array', () => { const { proxy, revoke } = Proxy.revocable([], {}); revoke(); return proxy }],
  ['a revoked proxy of a function', () => { const { proxy, revoke } = Proxy.revocable(() => {}, {}); revoke(); return proxy }],
  ['an array that holds a Symbol', () => [1, Symbol('in an array')]],
  ['an array that holds a null-prototype object', () => [Object.create(null)]],
  ['an array whose join throws', () => Object.assign([1], { join: fail })],
  ['endless recursion', () => { const o = { toString: () => `${o}` }; return o }],
  ['a deep array', () => { let a = []; for (let i = 0; i < 100_000; i++) a = [a]; return a }],
  ['an object that throws in its constructor getter', () => Object.create({ get constructor () { return fail() }, toString: fail })]
]

module.exports = { plainValues, throwingValues }
