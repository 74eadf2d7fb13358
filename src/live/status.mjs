/* eslint-env browser */
// The state of the connection: the word in the header, the messages, and the title of the tab. The style
// sheet dims values that are not current, by `data-state` of the body.

import { delay, duration, printable } from './format.mjs'

const NOTE_MS = 60_000

const $ = (id) => document.getElementById(id)
const time = () => new Date().toLocaleTimeString()

export class Status {
  #name
  #noteTimer = 0

  /** @param {string} name the name of the process, or the address; shown in the title */
  constructor (name) {
    this.#name = name
    $('note-close').addEventListener('click', () => { $('note').hidden = true })
  }

  /** Sets the name in the title. */
  rename (name) {
    this.#name = name
  }

  connecting () {
    this.#set('connecting', 'Connecting', '')
  }

  /** @param {string | null} rate the text of the rate for the title */
  live (rate) {
    this.#set('live', 'Live', rate ?? '')
  }

  /**
   * @param {number} lag seconds
   * @param {string} message
   */
  blocked (lag, message) {
    this.#set('blocked', 'Blocked', `Blocked ${delay(lag)}`)
    this.#showBanner(message, `Blocked for ${delay(lag)}`)
  }

  /**
   * @param {{ status: number, text: string, seconds: number, delay: number }} failure `status` is 0 without
   *   a response; `seconds` since the first failure; `delay`: seconds until the next request
   */
  silent ({ status, text, seconds, delay: next }) {
    this.#set('silent', 'No answer', 'No answer')
    const message = status === 0
      ? 'The process does not answer. It has ended, or it is being restarted.'
      : `The server answered with status ${status}: ${printable(text)}`
    this.#showBanner(message, `No answer for ${duration(seconds)}, next request in ${duration(next)}`)
  }

  paused () {
    this.#set('paused', `Paused ${time()}`, 'Paused')
  }

  /** @param {number} seconds the time of the recording */
  recording (seconds) {
    this.#set('recording', `Recording of ${new Date(seconds * 1000).toLocaleString()}`, 'Recording')
  }

  /** Shows, for a minute, a message that counts restarted at 0. */
  restarted () {
    $('note-text').textContent = `Counts restarted at 0 at ${time()}: the process was restarted or the counter was reset.`
    $('note').hidden = false
    clearTimeout(this.#noteTimer)
    this.#noteTimer = setTimeout(() => { $('note').hidden = true }, NOTE_MS)
  }

  #set (name, text, title) {
    document.title = [title, this.#name, 'Hypertrace'].filter((part) => part !== '').join(' · ')
    if (name !== 'blocked' && name !== 'silent') $('banner').hidden = true
    document.body.dataset.state = $('state').dataset.state = name
    if ($('state').textContent !== text) $('state').textContent = text
  }

  /** Shows the time in an element of its own, so that screen readers do not repeat the message each second. */
  #showBanner (text, since) {
    if ($('banner-text').textContent !== text) $('banner-text').textContent = text
    $('banner-time').textContent = since
    $('banner').hidden = false
  }
}
