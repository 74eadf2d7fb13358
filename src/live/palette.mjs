/* eslint-env browser */
// The colours of the style sheet for canvases, which cannot use custom properties.

import { COLOURS } from './scale.mjs'

const NAMES = ['surface', 'ink', 'quiet', 'rule', 'accent', 'alarm', 'other', ...Array.from({ length: COLOURS }, (_, i) => `c${i}`)]

let colours = null

/** Returns the value of each colour for the present scheme, as `rgb(…)`. */
export function palette () {
  if (colours !== null) return colours
  const probe = document.createElement('span')
  probe.hidden = true
  document.body.append(probe)
  colours = Object.fromEntries(NAMES.map((name) => {
    probe.style.color = `var(--${name})`
    return [name, getComputedStyle(probe).color]
  }))
  probe.remove()
  return colours
}

/** Calls a function when the scheme changes. */
export function onScheme (redraw) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours = null
    redraw()
  })
}
