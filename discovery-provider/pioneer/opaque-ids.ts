import {
  type Address,
  authorOf,
  largestNumber,
  numberOf,
  type Subject,
  subjectOf,
} from '@hexachord/protocol/names'
import * as z from 'zod'
import { exampleAuthor } from '../reading/entity.ts'

/**
 * Names as apps of the pioneer know them: words of letters and digits that mean nothing to them. Ours are written in base
 * 62, number before author, so that each has one spelling, and small numbers short ones; a user's number is 0. Kinds have
 * no mark of their own: as there, each is asked for where it belongs.
 */

const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const base = BigInt(digits.length)
const addressBits = 160n

/** 256 bits. */
const longest = 43
const form = new RegExp(`^[0-9a-zA-Z]{1,${longest}}$`)

export function opaqueSubject(subject: Subject): string {
  return written((numberOf(subject) << addressBits) | BigInt(authorOf(subject)))
}

export function opaqueUser(address: Address): string {
  return written(BigInt(address))
}

/** Inverse of {@link opaqueSubject}; undefined for a word that it cannot have made. */
export function subjectOfOpaque(word: string): Subject | undefined {
  const name = nameOf(word)
  return name === undefined || name.number === 0n ? undefined : subjectOf(name.author, name.number)
}

/** Inverse of {@link opaqueUser}; undefined for a word that it cannot have made. */
export function userOfOpaque(word: string): Address | undefined {
  const name = nameOf(word)
  return name?.number === 0n ? name.author : undefined
}

const word = z.string().regex(form, 'must be an id, of letters and digits')

/** Of the examples of the documentation. */
const exampleOf = (number: bigint) =>
  number === 0n ? opaqueUser(exampleAuthor) : opaqueSubject(subjectOf(exampleAuthor, number))

/** @param number of the example */
function opaqueSchema<Name>(number: bigint, nameOfWord: (word: string) => Name | undefined) {
  return word.meta({ examples: [exampleOf(number)] }).transform((text, context): Name => {
    const name = nameOfWord(text)
    if (name !== undefined) return name
    context.addIssue({ code: 'custom', message: 'is not the id of anything of this kind' })
    return z.NEVER
  })
}

export const trackParams = z.strictObject({ id: opaqueSchema(11n, subjectOfOpaque) })
export const playlistParams = z.strictObject({ id: opaqueSchema(12n, subjectOfOpaque) })
export const userParams = z.strictObject({ id: opaqueSchema(0n, userOfOpaque) })

/** More than any app asks for at once. */
const maximumIds = 100

/** Ids of a bulk request, as `id=a&id=b` or `id=a,b`. What is no id is left out, as what there is none of. */
function idList<Name>(number: bigint, nameOfWord: (word: string) => Name | undefined) {
  return z
    .union([z.string().max(5_000), z.array(z.string().max(5_000)).max(maximumIds)])
    .meta({ examples: [exampleOf(number)] })
    .transform((given) =>
      [given]
        .flat()
        .flatMap((text) => text.split(','))
        .slice(0, maximumIds)
        .flatMap((text) => nameOfWord(text) ?? []),
    )
}

export const trackIds = idList(11n, subjectOfOpaque)
export const playlistIds = idList(12n, subjectOfOpaque)
export const userIds = idList(0n, userOfOpaque)

function written(value: bigint): string {
  let text = ''
  for (let rest = value; rest > 0n || text === ''; rest /= base) text = digits[Number(rest % base)] + text
  return text
}

function nameOf(text: string): { author: Address; number: bigint } | undefined {
  if (!form.test(text)) return undefined
  let value = 0n
  for (const digit of text) value = value * base + BigInt(digits.indexOf(digit))
  const number = value >> addressBits
  // One spelling: no zeros before it.
  if (number > largestNumber || written(value) !== text) return undefined
  const author = BigInt.asUintN(Number(addressBits), value)
  return { author: `0x${author.toString(16).padStart(40, '0')}`, number }
}
