import { hexToBytes } from '@noble/hashes/utils.js'
import { Interface } from 'ethers'
import { type Engine, javaScriptEngine } from '../engine/index.ts'
import {
  type Address,
  type Hash,
  type Subject,
  subjectFromBytes32,
  subjectToBytes32,
} from '../names/index.ts'
import type { ChainLog } from '../operators/index.ts'
import type { Action } from './action.ts'

/** Held against the compiled ABI by a test of the contracts. */
export const actedFragment =
  'event Acted(address indexed signer, address indexed author, uint256 nonce, uint16 kind, bytes32 indexed subject, bytes content)'

const events = new Interface([actedFragment])
const topic = events.getEvent('Acted')?.topicHash

/** An action's name: known before it is sent, whoever relays it and whatever its deadline. It is the keccak256 of the
 * ABI encoding of signer, author, nonce, kind, subject and the keccak256 of the content: six words. */
export function actionHash(action: Omit<Action, 'hash'>): Hash {
  const words = [
    addressWord(action.signer),
    addressWord(action.author),
    numberWord(action.nonce),
    numberWord(action.kind),
    subjectToBytes32(action.subject).slice(2),
  ]
  return hashOfWords(words, action.content, javaScriptEngine)
}

function hashOfWords(words: readonly string[], content: Uint8Array, engine: Engine): Hash {
  return `0x${engine.keccak256(engine.bytesOf(words.join('') + engine.keccak256(content)))}`
}

/** @returns undefined for a log of the Catalog that is no action */
export function decodeActed(log: ChainLog, engine: Engine = javaScriptEngine): Action | undefined {
  const [first] = log.topics
  // To bring a text into lower case takes a copy of it, and nearly all are.
  if (first !== topic && first?.toLowerCase() !== topic) return undefined
  const sliced = sliceActed(log, engine)
  if (sliced !== undefined) return sliced
  const action = parseActed(log)
  return action && { hash: actionHash(action), ...action }
}

const wordDigits = 64
const zeros = '0'.repeat(wordDigits)
/** Of a kind, which has two bytes. */
const kindStart = zeros.slice(4)
/** Where the content begins, as Solidity writes it, and the start of its length, which has four bytes. */
const contentOffset = `${'0'.repeat(62)}60${zeros.slice(8)}`

const wordPattern = /^0x[0-9a-f]{64}$/
const addressWordPattern = /^0x0{24}[0-9a-f]{40}$/

/**
 * Reads a log that is laid out as Solidity lays it out, word by word. An ABI library takes eight times as long, which
 * is most of what indexing a chain takes. The words are those of the hash, too.
 * @returns undefined for any other layout, or any other spelling
 * @throws as the engine does where there is something else than hex
 */
function sliceActed({ topics, data }: ChainLog, engine: Engine): Action | undefined {
  if (topics.length !== 4) return undefined
  const [, signer = '', author = '', subject = ''] = topics
  if (!addressWordPattern.test(signer) || !addressWordPattern.test(author)) return undefined
  if (!wordPattern.test(subject) || !data.startsWith('0x')) return undefined
  const place = (word: number) => 2 + word * wordDigits
  if (!data.startsWith(kindStart, place(1)) || !data.startsWith(contentOffset, place(2))) return undefined
  const start = place(4)
  const nonce = data.slice(place(0), place(1))
  const kind = data.slice(place(1), place(2))
  const length = Number(`0x${data.slice(start - 8, start)}`)
  const end = start + 2 * length
  const paddedEnd = start + wordDigits * Math.ceil(length / 32)
  if (data.length !== paddedEnd || data.slice(end) !== zeros.slice(0, paddedEnd - end)) return undefined
  const content = engine.bytesOf(data.slice(start, end))
  return {
    hash: hashOfWords([signer.slice(2), author.slice(2), nonce, kind, subject.slice(2)], content, engine),
    signer: `0x${signer.slice(-40)}`,
    author: `0x${author.slice(-40)}`,
    nonce: BigInt(`0x${nonce}`),
    kind: Number.parseInt(kind, 16),
    // Every 32 bytes are a subject, in its one spelling.
    subject: `${subject.slice(0, 42)}-${BigInt(`0x${subject.slice(42)}`)}` as Subject,
    content,
  }
}

/** The same by an ABI library, which knows every layout that there may be. */
export function parseActed(log: ChainLog): Omit<Action, 'hash'> | undefined {
  const args = events.parseLog({ topics: [...log.topics], data: log.data })?.args
  if (args === undefined) return undefined
  return {
    signer: String(args.signer).toLowerCase() as Address,
    author: String(args.author).toLowerCase() as Address,
    nonce: BigInt(args.nonce),
    kind: Number(args.kind),
    subject: subjectFromBytes32(String(args.subject)),
    content: hexToBytes(String(args.content).slice(2)),
  }
}

function addressWord(address: Address): string {
  return address.slice(2).padStart(wordDigits, '0')
}

function numberWord(number: bigint | number): string {
  return number.toString(16).padStart(wordDigits, '0')
}
