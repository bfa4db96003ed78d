import * as z from 'zod'

// No control characters (databases refuse NUL, terminals obey escapes), and no regular expression whose
// meaning depends on a version of Unicode: rules must judge alike on every machine.
const line = /^[^\u0000-\u001f\u007f-\u009f]*$/
const lines = /^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$/

/** Text of one line, 1 to `maximum` UTF-16 units. */
export function lineText(maximum: number): z.ZodString {
  return z.string().min(1).max(maximum).regex(line, 'must not hold control characters')
}

/** Text with line breaks, up to `maximum` UTF-16 units. */
export function longText(maximum: number): z.ZodString {
  return z.string().max(maximum).regex(lines, 'must not hold control characters but line breaks')
}
