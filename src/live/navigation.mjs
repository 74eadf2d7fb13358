/* eslint-env browser */
// The tabs, the active filters, and the controls of the time: each changes the state in the URL.

import { $, button, create } from './dom.mjs'
import { duration, heading, printable } from './format.mjs'
import { nameOf } from './sentence.mjs'
import { INITIAL, WINDOWS, isRecorded, without } from './view.mjs'

/**
 * @param {import('./view.mjs').State} state
 * @param {import('./view.mjs').View[]} views
 * @param {string} current the id of the present view
 * @param {(state: import('./view.mjs').State) => void} go
 */
export function showNavigation (state, views, current, go) {
  replace($('views'), views.map(({ id, name, by }) => {
    const tab = button(printable(name, 40), () => go({ ...state, view: id }))
    if (id === current) tab.setAttribute('aria-current', 'true')
    if (state.span !== null && !isRecorded(by, state.filters)) {
      tab.disabled = true
      tab.title = 'The recording has the labels of call sites only'
    }
    return tab
  }))
  // On a narrow screen the tabs scroll sideways.
  $('views').scrollLeft = ($('views').querySelector('[aria-current]')?.offsetLeft ?? 0) - $('views').offsetLeft - 40
  $('crumbs').hidden = state.filters.length === 0
  replace($('crumbs'), state.filters.map(([label, value]) => {
    const crumb = button('', () => go(without(state, label)))
    crumb.append(create('span', '', heading(label)), ' ', create('bdi', '', nameOf(label, value)))
    crumb.setAttribute('aria-label', `Remove filter: ${heading(label)} ${nameOf(label, value)}`)
    return crumb
  }))
  if (state.filters.length > 1) $('crumbs').append(button('All calls', () => go({ ...state, filters: [], view: INITIAL.view })))
  replace($('windows'), WINDOWS.map((seconds) => pressed(duration(seconds), seconds === state.seconds, () => go({ ...state, seconds }))))
  replace($('shows'), [false, true].map((map) => pressed(map ? 'Map' : 'Table', map === state.map, () => go({ ...state, map }))))
}

function pressed (text, isPressed, onclick) {
  const created = button(text, onclick)
  created.setAttribute('aria-pressed', String(isPressed))
  return created
}

/** Replaces the buttons. If an old button has the focus, the new button with its text gets the focus. */
function replace (container, buttons) {
  const focused = container.contains(document.activeElement) ? document.activeElement.textContent : null
  container.replaceChildren(...buttons)
  if (focused !== null) buttons.find(({ textContent }) => textContent === focused)?.focus({ preventScroll: true })
}
