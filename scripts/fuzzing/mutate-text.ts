import type { Random } from '../sample-music/random.ts'
import { below, choose } from './mutate.ts'

/** What texts stumble over: separators of all the forms that are read here, and letters that are not what they seem. */
const pieces = [
  ...[
    '',
    ' ',
    '\0',
    '\n',
    '\r\n',
    '\t',
    ',',
    ';',
    ':',
    '=',
    '"',
    "'",
    '/',
    '\\',
    '..',
    '../',
    '%',
    '%00',
    '%2f',
  ],
  ...[
    '%ff',
    '#',
    '?',
    '&',
    '@',
    '-',
    '--',
    '*',
    '0x',
    '{',
    '}',
    '[',
    ']',
    '[[[[',
    '/ipfs/',
    '!',
    '//',
    '---\n',
  ],
  ...['__proto__', 'constructor', 'toString', 'null', 'NaN', 'Infinity', 'undefined', '-0', '1e999', '0'],
  ...['9007199254740993', '18446744073709551616', '-1', '00', '1.5'],
  ...['\ud800', '\udfff', '\ufeff', '\u202e', '\u0130', '\u212a', 'é', 'e\u0301', '😀', '\u2028', '\uffff'],
]

const longestRepeat = 200_000

type Change = (text: string, random: Random, other: string) => string

const changes: readonly Change[] = [
  (text, random) => {
    const at = below(text.length + 1, random)
    return text.slice(0, at) + (choose(pieces, random) ?? '') + text.slice(at)
  },
  (text, random) => {
    const at = below(text.length + 1, random)
    return text.slice(0, at) + (choose(pieces, random) ?? '') + text.slice(at + 1)
  },
  (text, random) => {
    const at = below(text.length + 1, random)
    return text.slice(0, at) + String.fromCharCode(below(0x10000, random)) + text.slice(at + 1)
  },
  (text, random) => {
    const at = below(text.length + 1, random)
    return text.slice(0, at) + String.fromCharCode(below(128, random)) + text.slice(at + 1)
  },
  (text, random) => text.slice(0, below(text.length + 1, random)),
  (text, random) => text.slice(below(text.length + 1, random)),
  (text, random) => {
    const [from, to] = stretch(text, random)
    return text.slice(0, from) + text.slice(to)
  },
  (text, random) => {
    const [from, to] = stretch(text, random)
    return text.slice(0, to) + text.slice(from)
  },
  (text, random) => {
    const [from, to] = stretch(text, random)
    return (
      text.slice(0, from) +
      text.slice(from, to).repeat(1 + below(Math.min(2_000, longestRepeat / (to - from + 1)), random)) +
      text.slice(to)
    )
  },
  (text, random, other) => {
    const [from, to] = stretch(other, random)
    const at = below(text.length + 1, random)
    return text.slice(0, at) + other.slice(from, to) + text.slice(at)
  },
  (text, random) => {
    const [from, to] = stretch(text, random)
    const part = text.slice(from, to)
    return text.slice(0, from) + (random() < 0.5 ? part.toUpperCase() : part.toLowerCase()) + text.slice(to)
  },
  (text, random) => text.replace(/\d+/, () => choose(pieces, random) ?? ''),
]

export function mutateText(text: string, other: string, random: Random): string {
  return (choose(changes, random) ?? ((same) => same))(text, random, other)
}

function stretch(text: string, random: Random): [number, number] {
  const from = below(text.length + 1, random)
  return [from, Math.min(text.length, from + 1 + below(random() < 0.7 ? 8 : text.length + 1, random))]
}
