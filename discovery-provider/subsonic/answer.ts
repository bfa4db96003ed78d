/** What an answer holds. The same tree becomes JSON as it is, and XML by these rules: a plain value is an attribute, an
 * object a child element, each item of a list a child element of the list's name, and a plain value under the name
 * `value` the text of its element. */
export type Value = string | number | boolean | undefined | ElementText | Fields | readonly Value[]
export type Fields = { readonly [name: string]: Value }

/** A text that is an element of its own in XML, where others are attributes. */
export class ElementText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toJSON(): string {
    return this.text
  }
}
