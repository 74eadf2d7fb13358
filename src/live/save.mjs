// Writes the page and a recording as one HTML file that needs no server. Pure.
//
// The file has a content security policy of its own: it runs only the scripts that carry its nonce, and loads
// nothing. The recording is JSON in an element that the browser does not run; each `<` in it is escaped, so
// that no name can end the element.

/** Returns JSON that cannot end the element that contains it. */
export function embeddable (value) {
  return JSON.stringify(value).replace(/[<\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

// The saved page contains this file in a script element. So the file must not contain the text that ends such an element.
const END = '</'

const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)

/**
 * @param {string} html the text of the page
 * @param {Record<string, string>} files the texts of its files, by the paths in `html`
 * @param {import('./saved.mjs').Saved} saved
 * @param {string} title
 * @param {string} nonce
 */
export function savedPage (html, files, saved, title, nonce) {
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`
  const head = `<meta http-equiv="Content-Security-Policy" content="${policy}">`
  const data = `<script type="application/json" id="recording">${embeddable(saved)}${END}script>`
  // The files are inserted last, because they contain texts that are replaced here.
  return html
    .replace(/<meta charset="utf-8">/, (meta) => `${meta}\n${head}`)
    .replace(/<title>[^<]*<\/title>/, () => `<title>${escaped(title)}</title>`)
    .replace('</body>', () => `${data}\n</body>`)
    .replace(/<link rel="icon"[^>]*href="([^"]*)"[^>]*>/, (_, path) => `<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,${encodeURIComponent(files[path])}">`)
    .replace(/<link rel="stylesheet"[^>]*href="([^"]*)"[^>]*>/g, (_, path) => `<style nonce="${nonce}">\n${files[path]}${END}style>`)
    .replace(/<script([^>]*) src="([^"]*)"[^>]*><\/script>/g, (_, type, path) => `<script${type} nonce="${nonce}">\n${files[path]}${END}script>`)
}

/** Returns the paths of the files that the page loads. */
export function filesOf (html) {
  return [...html.matchAll(/<(?:link|script)[^>]*(?:href|src)="(live\/[^"]*)"/g)].map(([, path]) => path)
}

/** Returns the name of the file: the process and the time. */
export function fileName (process, savedTimeSeconds) {
  const name = (process?.name ?? '').replace(/[^\w.-]+/g, '-').replace(/^[-.]+/, '').slice(0, 60)
  const time = new Date(savedTimeSeconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
  return ['hypertrace', name, time].filter((text) => text !== '').join('-') + '.html'
}
