/* eslint-env browser */
// Polls the server: once a second while the page is visible, every ten seconds while it is hidden, and
// with growing delays while requests fail.

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

export class Poller {
  #url
  #onSummary
  #onFailure
  #timer = 0
  #current = null
  #failures = 0
  #paused = false

  /**
   * @param {() => string} url
   * @param {(summary: any) => void} onSummary
   * @param {(failure: { status: number, text: string, delay: number }) => void} onFailure `status` is 0
   *   without a response; `delay`: milliseconds until the next request
   */
  constructor (url, onSummary, onFailure) {
    this.#url = url
    this.#onSummary = onSummary
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
  now () {
    this.#cancel()
    const current = this.#current = new AbortController()
    this.#request(current)
  }

  #cancel () {
    clearTimeout(this.#timer)
    this.#current?.abort()
    this.#current = null
  }

  async #request (current) {
    const { failure, summary } = await fetchSummary(this.#url(), current.signal)
    if (this.#current !== current) return
    this.#current = null
    this.#failures = failure === undefined ? 0 : this.#failures + 1
    const delay = delayOf(this.#failures, document.hidden)
    if (!this.#paused) this.#timer = setTimeout(() => this.now(), delay)
    if (failure === undefined) this.#onSummary(summary)
    else this.#onFailure({ ...failure, delay })
  }
}

async function fetchSummary (url, signal) {
  try {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    const response = await fetch(url, { signal: AbortSignal.any([signal, timeout]), cache: 'no-store' })
    if (response.ok) return { summary: await response.json() }
    return { failure: { status: response.status, text: (await response.text()).trim() } }
  } catch {
    return { failure: { status: 0, text: '' } }
  }
}
