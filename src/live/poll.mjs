/* eslint-env browser */
// Polls the server: once a second while the page is visible, every ten seconds while it is hidden, and with growing
// delays while requests fail.

const VISIBLE_MS = 1000
const HIDDEN_MS = 10_000
const MAX_FAILING_MS = 10_000
const TIMEOUT_MS = 5000

/**
 * Returns the delay before the next request, in milliseconds. Pure.
 *
 * @param {number} failures consecutive failures
 * @param {boolean} hidden
 */
export function delayOf (failures, hidden) {
  const delay = failures === 0 ? VISIBLE_MS : Math.min(MAX_FAILING_MS, VISIBLE_MS * 2 ** (failures - 1))
  return hidden ? Math.max(HIDDEN_MS, delay) : delay
}

/** The failure of a request for a document. `status` is 0 without a response. */
export class Failure extends Error {
  constructor (status, text) {
    super(text)
    this.status = status
  }
}

/** Returns a document of the server. */
export async function fetchJson (path, query, signal) {
  let response
  try {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    response = await fetch(`${path}?${query}`, { signal: AbortSignal.any([signal, timeout]), cache: 'no-store' })
    if (response.ok) return await response.json()
    throw new Failure(response.status, (await response.text()).trim())
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(0, '')
  }
}

export class Poller {
  #read
  #onAnswer
  #onFailure
  #timer = 0
  #current = null
  #failures = 0
  #paused = false

  /**
   * @param {(signal: AbortSignal) => Promise<any>} read
   * @param {(answer: any) => void} onAnswer
   * @param {(failure: Failure, delay: number) => void} onFailure `delay`: milliseconds until the next request
   */
  constructor (read, onAnswer, onFailure) {
    this.#read = read
    this.#onAnswer = onAnswer
    this.#onFailure = onFailure
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && !this.#paused && this.#current === null) this.now()
    })
  }

  get paused () {
    return this.#paused
  }

  set paused (paused) {
    this.#paused = paused
    if (paused) this.#cancel()
    else this.now()
  }

  /** Sends a request now and cancels the pending one. While paused, no other request follows. */
  async now () {
    this.#cancel()
    const current = this.#current = new AbortController()
    let answer, failure
    try {
      answer = await this.#read(current.signal)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      failure = error
    }
    if (this.#current !== current) return
    this.#current = null
    this.#failures = failure === undefined ? 0 : this.#failures + 1
    const delay = delayOf(this.#failures, document.hidden)
    if (!this.#paused) this.#timer = setTimeout(() => this.now(), delay)
    if (failure === undefined) this.#onAnswer(answer)
    else this.#onFailure(failure, delay)
  }

  #cancel () {
    clearTimeout(this.#timer)
    this.#current?.abort()
    this.#current = null
  }
}
