/** A tag with what stands in it; text is escaped where it is written. */
export type Element = {
  readonly name: string
  readonly attributes: Attributes
  readonly children: readonly Child[]
}

export type Attributes = Readonly<Record<string, string | number | undefined>>

/** Nothing for what there is not; `data` stands in a document as it is, and is for scripts that are no programs. */
export type Child = Element | string | undefined | { readonly data: string }

/** An attribute that is undefined is left out. */
export function element(name: string, attributes: Attributes = {}, ...children: Child[]): Element {
  return { name, attributes, children }
}

/** An element with a text, or nothing where there is none. */
export function textElement(name: string, text: string | number | null | undefined): Element | undefined {
  return text === null || text === undefined ? undefined : element(name, {}, String(text))
}

export function xmlDocument(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${written(root, false)}\n`
}

export function htmlDocument(root: Element): string {
  return `<!doctype html>\n${htmlElement(root)}\n`
}

/** A part of a page. */
export function htmlElement(part: Element): string {
  return written(part, true)
}

/** JSON inside a script element: nothing in it ends the script, or begins a comment. */
export function jsonData(value: unknown): { data: string } {
  return { data: JSON.stringify(value).replaceAll('<', '\\u003c') }
}

/** HTML 13.1.2: these have no end; all others have one, also where nothing is in them. */
const voidElements = new Set(['base', 'br', 'hr', 'img', 'input', 'link', 'meta', 'source'])

function written({ name, attributes, children }: Element, isHtml: boolean): string {
  const given = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(String(value))}"`)
    .join('')
  const inside = children
    .map((child) => {
      if (child === undefined) return ''
      if (typeof child === 'string') return escaped(child)
      return 'data' in child ? child.data : written(child, isHtml)
    })
    .join('')
  if (isHtml && voidElements.has(name)) return `<${name}${given}>`
  if (!isHtml && inside === '') return `<${name}${given}/>`
  return `<${name}${given}>${inside}</${name}>`
}

/** What may not stand in XML at all, not even by its number (XML 1.0 2.2), nor in HTML. */
const forbidden = /[^\t\n\r\u{20}-\u{7e}\u{85}\u{a0}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  // So that no text holds the end of a section.
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // As themselves they would be read as spaces in an attribute.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** Texts are strangers': what no document takes becomes the sign for what is unknown. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(forbidden, '\ufffd')
    .replaceAll(/[&<>"'\t\n\r]/g, (letter) => entities[letter] ?? letter)
}
