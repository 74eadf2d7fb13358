/* eslint-env browser */
// Creates elements. Text is set as text, never as markup, because an application chooses the names.

/** Returns the element with this id. */
export const $ = (id) => document.getElementById(id)

/** Creates an element with this text. */
export function create (name, className = '', text = '') {
  const created = document.createElement(name)
  created.className = className
  created.textContent = text
  return created
}

/** Creates a button. */
export function button (text, onclick, className = '') {
  const created = create('button', className, text)
  created.type = 'button'
  created.addEventListener('click', onclick)
  return created
}

/** Creates the square with the colour of a row. */
export function swatch (colour = 'none') {
  const created = create('span', 'swatch')
  created.dataset.colour = colour
  created.setAttribute('aria-hidden', 'true')
  return created
}

const SVG = 'http://www.w3.org/2000/svg'

/** Creates an SVG element with these attributes. */
export function svg (name, attributes = {}) {
  const created = document.createElementNS(SVG, name)
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, String(value))
  return created
}

/** Sets the text only if it has changed, because setting it ends the user's selection. */
export function setText (element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Copies a text to the clipboard, and shows "Copied" in the button. A page that is neither on localhost nor on TLS has no
 * clipboard; then the text is selected in `source` or, without `source`, in a message.
 *
 * @param {HTMLElement} trigger
 * @param {string} text
 * @param {HTMLElement} [source]
 */
export async function copy (trigger, text, source) {
  const before = trigger.textContent
  try {
    await navigator.clipboard.writeText(text)
    trigger.textContent = 'Copied'
  } catch {
    if (source === undefined) {
      source = $('note-text')
      source.textContent = text
      $('note').hidden = false
    }
    getSelection().selectAllChildren(source)
    trigger.textContent = 'Selected'
  }
  setTimeout(() => { trigger.textContent = before }, 2000)
}
