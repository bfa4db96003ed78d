/** A text as Postgres can hold it: without NUL and halves of surrogate pairs, which become U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}
