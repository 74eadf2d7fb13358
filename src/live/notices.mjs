/* eslint-env browser */
// The lists of stalls and of advice.

import { $, button, copy, create } from './dom.mjs'
import { delay } from './format.mjs'
import { stallSentence } from './sentence.mjs'

const MAX_STALLS = 20

/**
 * Shows the stalls, the newest first.
 *
 * @param {import('./recording.mjs').Stall[]} stalls
 * @param {string} when the text of the time in which the stalls happened
 * @param {(stall: import('./recording.mjs').Stall) => void} onChoose
 */
export function showStalls (stalls, when, onChoose) {
  const shown = [...stalls].reverse().slice(0, MAX_STALLS)
  const total = stalls.reduce((sum, { seconds }) => sum + seconds, 0)
  const text = stalls.length === 0
    ? `No stall ${when}.`
    : `${stalls.length} ${when}, ${delay(total)} in all.`
  if ($('stalls-text').textContent !== text) $('stalls-text').textContent = text
  const list = $('stall-list')
  const sentences = shown.map(stallSentence)
  if (list.dataset.shown === sentences.join('\n')) return
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement))
  list.dataset.shown = sentences.join('\n')
  list.replaceChildren(...shown.map((stall, i) => {
    const item = create('li', stall.ongoing ? 'ongoing' : '')
    const [start, rest] = split(sentences[i])
    const choose = button('', () => onChoose(stall), 'stall')
    choose.append(create('strong', '', start), create('bdi', '', rest))
    choose.title = 'Show the calls of this stall'
    item.append(choose)
    return item
  }))
  if (focused !== -1) list.children[Math.min(focused, list.children.length - 1)]?.querySelector('button').focus({ preventScroll: true })
}

function split (sentence) {
  const end = sentence.indexOf(': ')
  return [sentence.slice(0, end + 1), sentence.slice(end + 1)]
}

/** Shows advice. @param {import('./advice.mjs').Advice[]} advice */
export function showAdvice (advice) {
  $('advice').hidden = advice.length === 0
  const list = $('advice-list')
  const text = JSON.stringify(advice)
  if (list.dataset.shown === text) return
  list.dataset.shown = text
  list.replaceChildren(...advice.map(({ id, title, reason, cure, code }) => {
    const item = create('li')
    item.dataset.advice = id
    const line = create('p', 'cure')
    const source = create('code', '', code)
    const trigger = button('Copy', () => copy(trigger, code, source), 'plain')
    line.append(source, trigger)
    item.append(create('h3', '', title), create('p', '', reason), create('p', '', cure), line)
    return item
  }))
}
