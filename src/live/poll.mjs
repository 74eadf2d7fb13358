/* eslint-env browser */
// Asks the server again and again: each second while somebody looks, seldom otherwise, and ever more
// seldom while there is no answer.

const LOOKED_AT = 1000
const HIDDEN = 10_000
const FAILING = 10_000
const TIMEOUT = 5000

/**
 * The wait before the next question, in milliseconds. Pure.
 *
 * @param {number} failures in a row
 * @param {boolean} hidden
 */
export function waitFor (failures, hidden) {
  const wait = failures === 0 ? LOOKED_AT : Math.min(FAILING, LOOKED_AT * 2 ** (failures - 1))
  return hidden ? Math.max(HIDDEN, wait) : wait
}

export class Poller {
  #ask
  #answered
  #failed
  #timer = 0
  #current = null
  #failures = 0
  #paused = false

  /**
   * @param {() => string} address
   * @param {(summary: any) => void} answered
   * @param {(failure: { status: number, text: string, wait: number }) => void} failed `status` 0:
   *   no answer; `wait`: milliseconds to the next question
   */
  constructor (address, answered, failed) {
    this.#ask = address
    this.#answered = answered
    this.#failed = failed
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.#current === null) this.now()
    })
  }

  get paused () {
    return this.#paused
  }

  set paused (paused) {
    this.#paused = paused
    if (paused) this.#drop()
    else this.now()
  }

  /** Asks at once; an answer that is under way is not waited for. */
  now () {
    if (this.#paused) return
    this.#drop()
    const current = this.#current = new AbortController()
    this.#question(current)
  }

  #drop () {
    clearTimeout(this.#timer)
    this.#current?.abort()
    this.#current = null
  }

  async #question (current) {
    const { failure, summary } = await fetchSummary(this.#ask(), current.signal)
    if (this.#current !== current) return
    this.#current = null
    this.#failures = failure === undefined ? 0 : this.#failures + 1
    const wait = waitFor(this.#failures, document.hidden)
    this.#timer = setTimeout(() => this.now(), wait)
    if (failure === undefined) this.#answered(summary)
    else this.#failed({ ...failure, wait })
  }
}

async function fetchSummary (address, signal) {
  try {
    const limit = AbortSignal.timeout(TIMEOUT)
    const response = await fetch(address, { signal: AbortSignal.any([signal, limit]), cache: 'no-store' })
    if (response.ok) return { summary: await response.json() }
    return { failure: { status: response.status, text: (await response.text()).trim() } }
  } catch {
    return { failure: { status: 0, text: '' } }
  }
}
