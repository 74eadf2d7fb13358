/* eslint-env browser */
// The search field, the buttons of the page, and its keys.

import { $, copy, setText } from './dom.mjs'

// The time between the last key in the search field and the request with its text.
const TYPING_MS = 250

/**
 * @param {{ onSearch: (text: string) => void, onMore: () => void, onPause: () => boolean, onSave: () => void }} callbacks
 *   `onPause` returns whether the page is paused now
 */
export function setUpControls ({ onSearch, onMore, onPause, onSave }) {
  let typing = 0
  const search = (text) => {
    clearTimeout(typing)
    typing = setTimeout(() => onSearch(text.trim()), TYPING_MS)
  }
  $('filter').addEventListener('input', ({ target }) => search(target.value))
  $('more').addEventListener('click', onMore)
  $('pause').addEventListener('click', () => setText($('pause'), onPause() ? 'Resume' : 'Pause'))
  $('save').addEventListener('click', onSave)
  $('copy').addEventListener('click', () => copy($('copy'), $('snippet').textContent, $('snippet')))

  addEventListener('keydown', (event) => {
    const isTyping = event.target instanceof HTMLInputElement
    const isPlain = !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey
    if (event.key === '/' && isPlain) {
      event.preventDefault()
      $('filter').focus()
    } else if (event.key === '?' && isPlain) {
      $('help-button').click()
    } else if (event.key === 'Escape' && isTyping) {
      $('filter').value = ''
      search('')
    }
  })
}
