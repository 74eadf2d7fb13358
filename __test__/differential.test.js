'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { createRandom, seedOf } = require('./support/random')
const { createWorld, KINDS } = require('./support/payloads')
const { payloadForReference, normalise, countsOf, differences, total } = require('./support/differences')
const { startReference, startOurs } = require('./support/implementations')

const WORLDS = 12
const SEED = seedOf(20250117)

/**
 * Passes the payloads of one world to both implementations, and compares their pages after each half.
 * @returns {Promise<{ series: number, calls: number }>}
 */
async function compareWorld (world, options = {}) {
  const { allowedProps, maxSeries } = world
  const reference = startReference({ allowedProps })
  const ours = startOurs({ allowedProps, maxSeries, ...options })
  let calls = 0
  let compared = 0

  try {
    for (let half = 0; half < 2; half++) {
      for (let i = 0; i < world.calls / 2; i++, calls++) {
        const payload = world.next()
        reference(payloadForReference(payload, allowedProps))
        ours(payload)
      }
      const expected = normalise(await reference.metrics(), options.maxLabelValueLength)
      const actual = countsOf(await ours.metrics())
      assert.deepEqual(differences(expected, actual), [])
      assert.equal(total(actual), calls)
      compared += expected.size
    }
  } finally {
    await Promise.all([reference.stop(), ours.stop()])
  }
  return { series: compared, calls }
}

async function compareWorlds (kind, options) {
  let series = 0
  for (let i = 0; i < (KINDS[kind].worlds ?? WORLDS); i++) {
    const seed = SEED + i
    const world = createWorld(createRandom(seed), kind)
    try {
      series += (await compareWorld(world, options)).series
    } catch (err) {
      err.message = `seed ${seed}, ${kind}, allowedProps ${JSON.stringify(world.allowedProps)}: ${err.message}`
      throw err
    }
  }
  return series
}

/** The least number of series for each kind of payloads. Fewer would show that the generator no longer makes this kind. */
const FLOOR = {
  ordinary: 1_000,
  'several sites on a line': 300,
  minified: 1_000,
  'made by hand': 2_000,
  'many props': 2_000,
  'hostile values': 2_000,
  'dynamic ids': 5_000,
  'many objects': 10_000,
  'many parents': 3_000,
  'more call sites than are cached': 500,
  'props, and more call sites than are cached': 1_000
}

for (const kind of Object.keys(KINDS)) {
  test(`counts what the reference counts: ${kind}`, async (t) => {
    const series = await compareWorlds(kind)
    t.diagnostic(`${series} series compared`)
    assert.ok(series >= FLOOR[kind], `only ${series} series compared`)
  })
}

test('counts what the reference counts: hostile values, not cut', async (t) => {
  const series = await compareWorlds('hostile values', { maxLabelValueLength: 65_535 })
  t.diagnostic(`${series} series compared`)
  assert.ok(series >= FLOOR['hostile values'], `only ${series} series compared`)
})

test('values that make the reference throw disturb no other count', async () => {
  for (let i = 0; i < WORLDS; i++) {
    const world = createWorld(createRandom(SEED + 1000 + i), 'hostile values')
    const { allowedProps } = world
    const reference = startReference({ allowedProps })
    const ours = startOurs({ allowedProps, maxSeries: 200_000 })
    let thrown = 0
    let calls = 0

    try {
      for (; calls < world.calls; calls++) {
        if (calls % 4 !== 0) {
          const payload = world.next()
          reference(payloadForReference(payload, allowedProps))
          ours(payload)
          continue
        }
        const { payload, what } = world.nextThrowing()
        assert.throws(() => reference(payload), undefined, `the reference accepts ${what}`)
        assert.doesNotThrow(() => ours(payload), `seed ${SEED + 1000 + i}: ${what}`)
        thrown++
      }
      const expected = normalise(await reference.metrics())
      const actual = countsOf(await ours.metrics())
      let hostile = 0
      for (const [key, count] of actual) {
        if (!key.includes('["object_classname","Hostile"]')) continue
        hostile += count
        actual.delete(key)
      }
      assert.deepEqual(differences(expected, actual), [], `seed ${SEED + 1000 + i}`)
      assert.equal(hostile, thrown)
      assert.equal(total(actual), calls - thrown)
    } finally {
      await Promise.all([reference.stop(), ours.stop()])
    }
  }
})

test('counts what the reference counts: a value of 10 MB', async () => {
  const allowedProps = ['value']
  const reference = startReference({ allowedProps })
  const ours = startOurs({ allowedProps })
  const value = 'y"\\\n' + 'z'.repeat(10 * 1024 * 1024)

  try {
    for (let call = 0; call < 3; call++) {
      const payload = {
        id: 'put',
        object: { className: 'Store', id: 1, props: null, ctx: {} },
        parentObject: null,
        caller: { functionName: 'put', filename: '/app/store.js', line: 3, column: 9, props: { value } }
      }
      reference(payloadForReference(payload, allowedProps))
      ours(payload)
    }
    const actual = countsOf(await ours.metrics())
    assert.deepEqual(differences(normalise(await reference.metrics()), actual), [])
    assert.deepEqual([...actual.values()], [3])
  } finally {
    await Promise.all([reference.stop(), ours.stop()])
  }
})
