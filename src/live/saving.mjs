/* eslint-env browser */
// Downloads the page and the recording as one file.

import { $, setText } from './dom.mjs'
import { Failure, fetchJson } from './poll.mjs'
import { MAX_SECONDS } from './requests.mjs'
import { fileName, filesOf, savedPage } from './save.mjs'
import { SAVED_ROWS } from './saved.mjs'
import { RECORDED, queryOf } from './view.mjs'

const TIMEOUT_MS = 20_000
const MAX_SUMMARY_ROWS = 1000

/**
 * @param {HTMLButtonElement} trigger
 * @param {string[]} labels the labels that at least one series has
 */
export async function save (trigger, labels) {
  const text = trigger.textContent
  trigger.disabled = true
  setText(trigger, 'Saving')
  try {
    await download(labels)
    setText(trigger, 'Saved')
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    setText(trigger, 'Not saved')
    trigger.title = error.message
  } finally {
    trigger.disabled = false
    setTimeout(() => setText(trigger, text), 2000)
  }
}

async function download (labels) {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const by = RECORDED.filter((label) => labels.includes(label))
  const [html, history, summary] = await Promise.all([
    fetchText(location.pathname, signal),
    fetchJson('history.json', queryOf({ seconds: MAX_SECONDS, by, limit: SAVED_ROWS }), signal),
    fetchJson('summary.json', queryOf({ by, limit: MAX_SUMMARY_ROWS }), signal)
  ])
  const paths = filesOf(html)
  const texts = await Promise.all(paths.map((path) => fetchText(path, signal)))
  const files = Object.fromEntries(paths.map((path, i) => [path, texts[i]]))
  const savedTimeSeconds = Date.now() / 1000
  const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const title = `${summary.process.name ?? location.host} · Hypertrace`
  const page = savedPage(html, files, { savedTimeSeconds, host: location.host, summary, history }, title, nonce)
  const link = $('download')
  link.href = URL.createObjectURL(new Blob([page], { type: 'text/html' }))
  link.download = fileName(summary.process, savedTimeSeconds)
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), TIMEOUT_MS)
}

async function fetchText (path, signal) {
  let response
  try {
    response = await fetch(path, { signal, cache: 'no-store' })
  } catch {
    throw new Failure(0, 'The server does not answer.')
  }
  if (!response.ok) throw new Failure(response.status, `Status ${response.status}`)
  return response.text()
}
