'use strict'

/*
 * Reads the series of the counter from Rust, in steps of a bounded number of slots, for the user's
 * register and for metric producers.
 *
 * Runs on the JavaScript thread. Labels cross from Rust once for each series, and are cached as objects
 * for as long as the series has its slot.
 */

const { SeriesReading } = require('./binding')

/**
 * @typedef {import('../binding').Exporter} Exporter
 * @typedef {[seconds: number, nanoseconds: number]} Time since the Unix epoch
 * @typedef {{ start: Time, labels: Record<string, string> }} Series a series, the same object at each
 *   reading; no two series of a slot have the same start
 *
 * @typedef {object} Reading
 * @property {() => boolean} step visits the series of the next slots; `false` at the end
 * @property {() => Promise<void>} pause resolves in a later turn of the event loop
 * @property {() => Time} complete ends the reading, and returns a time after the start of each series
 * @property {() => void} end ends a reading that is not complete
 *
 * @typedef {(visit: (series: Series, value: number) => void, reader?: number) => Reading} ReadSeries starts
 *   a reading of all series with a value; `reader` is the number of a metric producer
 */

/** Rust passes this number of values for a slot: the value of the series, and the seconds and nanoseconds of its start. */
const NUMBERS = 3

/**
 * @param {Pick<Exporter, 'readSeries'>} exporter
 * @returns {ReadSeries}
 */
function createSeriesReader (exporter) {
  /** @type {(Series | undefined)[]} by slot */
  const cache = []

  return (visit, reader) => {
    const reading = exporter.readSeries(reader)
    let first = 0

    /** @param {Float64Array} numbers of the slots from `first` on */
    const readLabels = (numbers) => {
      const slots = []
      for (let i = 0; i < numbers.length; i += NUMBERS) {
        const slot = first + i / NUMBERS
        const cached = cache[slot]
        if (numbers[i] !== 0) {
          if (cached?.start[0] !== numbers[i + 1] || cached.start[1] !== numbers[i + 2]) slots.push(slot)
        } else if (cached !== undefined && numbers[i + 1] === 0) {
          cache[slot] = undefined // the slot is free
        }
      }
      if (slots.length === 0) return
      for (const [index, labels] of reading.labels(slots).entries()) {
        const slot = slots[index]
        const i = (slot - first) * NUMBERS
        cache[slot] = { start: [numbers[i + 1], numbers[i + 2]], labels: labelObject(labels) }
      }
    }

    return {
      step () {
        const numbers = reading.step()
        if (numbers === null) return false
        readLabels(numbers)
        for (let i = 0; i < numbers.length; i += NUMBERS, first++) {
          const series = cache[first]
          if (numbers[i] !== 0 && series !== undefined) visit(series, numbers[i])
        }
        return true
      },
      pause: () => new Promise((resolve) => SeriesReading.pause(resolve)),
      complete: () => reading.complete() ?? [0, 0],
      end: () => reading.end()
    }
  }
}

/**
 * @param {string[]} flat names and values, alternating
 * @returns {Record<string, string>}
 */
function labelObject (flat) {
  /** @type {Record<string, string>} */
  const labels = {}
  for (let i = 0; i < flat.length; i += 2) labels[flat[i]] = flat[i + 1]
  return labels
}

module.exports = { createSeriesReader, labelObject }
