/* eslint-env browser */
// The explanations of the page's terms: a dialog, and the titles of the elements that show the terms.

const $ = (id) => document.getElementById(id)

/** The terms that explain labels. All labels of properties have one term, `props`. */
const TERMS = {
  object_classname: 'class',
  caller_functionname: 'function',
  caller_filename: 'function',
  parent_object_classname: 'parent',
  object_id: 'object',
  parent_object_id: 'parent'
}

/** Returns the explanation of a term or of a label. */
export function helpOn (name) {
  const term = TERMS[name] ?? (name.includes('_props_') ? 'props' : name)
  return $(`help-${term}`)?.nextElementSibling?.textContent ?? ''
}

/** Sets the titles, and opens the dialog with the button and with the key `?`. */
export function setUpHelp () {
  for (const element of document.querySelectorAll('[data-help]')) element.title = helpOn(element.dataset.help)
  const dialog = $('help')
  $('help-button').addEventListener('click', () => dialog.showModal())
  $('help-close').addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close() // a click outside the content
  })
}
