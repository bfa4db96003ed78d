import { ElementText, type Fields, type Value } from './answer.ts'

/** An XML document of one element; see {@link Value} for what becomes an attribute and what an element. */
export function xmlDocument(name: string, fields: Fields): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, fields)}\n`
}

function element(name: string, fields: Fields): string {
  let attributes = ''
  let content = ''
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) continue
    if (field === 'value' && isPlain(value)) content += escaped(String(value), false)
    else if (isPlain(value)) attributes += ` ${field}="${escaped(String(value), true)}"`
    else content += children(field, value)
  }
  return content === '' ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`
}

function children(name: string, value: Value): string {
  if (value === undefined) return ''
  if (isList(value)) return value.map((item) => children(name, item)).join('')
  if (value instanceof ElementText) return `<${name}>${escaped(value.text, false)}</${name}>`
  if (isPlain(value)) return `<${name}>${escaped(String(value), false)}</${name}>`
  return element(name, value)
}

function isPlain(value: Value): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** `Array.isArray` does not narrow read-only arrays. */
function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** What stands for a character that no XML 1.0 document can hold (https://www.w3.org/TR/xml/#charsets). */
const replacement = '\ufffd'

function escaped(text: string, inAttribute: boolean): string {
  const markup = text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, replacement)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    // Parsers make a line feed of it, if it is not written like this.
    .replaceAll('\r', '&#13;')
  if (!inAttribute) return markup
  return markup.replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')
}
