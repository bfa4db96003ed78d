import { type Address, isSubject, NameError, parseAddress, type Subject } from '@hexachord/protocol/names'
import { UsageError } from '../settings/index.ts'

/** The track, playlist or comment that stands in a text, such as a link.
 * @param what of it, for the error
 * @throws UsageError */
export function subjectIn(text: string, what = 'id'): Subject {
  const subject = /0x[0-9a-f]{40}-[0-9]{1,29}/.exec(text.toLowerCase())?.[0]
  if (!isSubject(subject)) throw new UsageError(`'${text}' is no ${what} such as 0x…-123`)
  return subject
}

/** The address that stands in a text, such as a link to a page; without one the text as it is, which may be a handle.
 * @throws UsageError for an address with a wrong checksum */
export function userIn(text: string): string {
  const address = /0x[0-9a-fA-F]{40}/.exec(text)?.[0]
  return address === undefined ? text : addressIn(address)
}

/** @throws UsageError for a text that is no address, or one with a wrong checksum */
export function addressIn(text: string): Address {
  try {
    return parseAddress(text)
  } catch (error) {
    if (error instanceof NameError) throw new UsageError(error.message, { cause: error })
    throw error
  }
}

/** Collects an option that may be given several times. */
export function several(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
