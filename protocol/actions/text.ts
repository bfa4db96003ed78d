import * as z from 'zod'

/** Text of one line, 1 to `maximum` UTF-16 units, without control characters. */
export function lineText(maximum: number) {
  return z
    .string()
    .min(1)
    .max(maximum)
    .refine((text) => !hasControl(text, ''), 'must not hold control characters')
}

/** Text with line breaks, up to `maximum` UTF-16 units, without other control characters. */
export function longText(maximum: number) {
  return z
    .string()
    .max(maximum)
    .refine((text) => !hasControl(text, '\n'), 'must not hold control characters but line breaks')
}

/** A web address that can be shown as a link. */
export const httpsAddress = z.string().regex(/^https:\/\/[!-~]{1,190}$/, 'must be an https address')

// Databases refuse NUL and terminals obey escapes. By code unit: a class of characters in a regular
// expression could change with the version of Unicode, and rules must judge alike on every machine.
function hasControl(text: string, allowed: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    const control = unit < 0x20 || (unit >= 0x7f && unit < 0xa0)
    if (control && text[index] !== allowed) return true
  }
  return false
}
