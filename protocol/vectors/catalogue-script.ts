import { Interface, Wallet } from 'ethers'
import { actedFragment, actionHash, type KindName, kinds } from '../actions/index.ts'
import { encodeCanonicalJson, type Json, toCanonicalJson } from '../canonical/index.ts'
import { rulesOf } from '../catalogue/index.ts'
import { cidOf } from '../cids/index.ts'
import {
  type Address,
  addressToBytes32,
  type Hash,
  type Subject,
  subjectOf,
  subjectToBytes32,
  userSubject,
} from '../names/index.ts'
import { type ChainLog, operatorEventFragments } from '../operators/index.ts'
import { signReceipt } from '../receipts/index.ts'

/** A block of the scripted chain: its time in unix seconds, and the logs of the network's contracts in it. */
export type ScriptedBlock = { readonly number: number; readonly timestamp: number; readonly logs: ChainLog[] }

/** What a network's file says that decides verdicts. */
export const scriptedNetwork = {
  chainId: 31_337,
  finalityBlocks: 2,
  epochBlocks: 16,
  bytesPerToken: '1000000000',
  minimumStakeWei: '100000000000000000000',
  contracts: {
    catalog: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
    operatorRegistry: '0xe7f1725e7734ce288f8367e1bb143e90bb3f0512',
    stakeVault: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
  },
} as const

const abi = new Interface([actedFragment, ...operatorEventFragments])
const { domain } = rulesOf(scriptedNetwork)
const firstTimestamp = 1_800_000_000
const secondsPerBlock = 12

/** Writes the logs of a chain, block after block, and remembers what each author has said last. */
export function writeChain() {
  const blocks: ScriptedBlock[] = []
  /** Last action that the script sent under each subject and means to be accepted. */
  const lastOf = new Map<Subject, Hash>()
  let nonce = 0n

  function emit(address: string, event: string, values: readonly unknown[]): void {
    const block = blocks.at(-1)
    if (block === undefined) throw new RangeError('a log stands in a block')
    const { topics, data } = abi.encodeEventLog(event, values)
    // Logs of other contracts stand between ours on a real chain.
    const logIndex = block.logs.length * 2
    block.logs.push({
      address,
      topics,
      data,
      blockNumber: block.number,
      blockHash: hashOf(block.number),
      logIndex,
    })
  }

  return {
    blocks,
    /** Begins a block. @param delaySeconds more than the usual time after the one before */
    block(number: number, delaySeconds = 0): void {
      const late =
        (blocks.at(-1)?.timestamp ?? 0) - firstTimestamp - (blocks.at(-1)?.number ?? 0) * secondsPerBlock
      const timestamp = firstTimestamp + number * secondsPerBlock + Math.max(0, late) + delaySeconds
      blocks.push({ number, timestamp, logs: [] })
    },
    registry: (event: string, ...values: unknown[]) =>
      emit(scriptedNetwork.contracts.operatorRegistry, event, values),
    vault: (event: string, ...values: unknown[]) => emit(scriptedNetwork.contracts.stakeVault, event, values),
    /** Bytes as they are, under any kind: what a stranger might send. */
    raw(author: Address, subject: Subject, kind: number, content: Uint8Array, signer = author): Hash {
      nonce += 1n
      emit(scriptedNetwork.contracts.catalog, 'Acted', [
        signer,
        author,
        nonce,
        kind,
        subjectToBytes32(subject),
        content,
      ])
      return actionHash({ signer, author, nonce, kind, subject, content })
    },
    /** An action as a client writes it: `prev` is the subject's last one unless it is given. */
    act(
      author: Address,
      subject: Subject,
      kind: KindName,
      content: { [key: string]: Json },
      signer = author,
    ): Hash {
      const whole = { prev: lastOf.get(subject) ?? null, ...content }
      return this.raw(author, subject, kinds[kind].number, encodeCanonicalJson(whole), signer)
    },
    /** An action that sets a register: ordered by its own clock, which is that of its block unless `atMs` is given. */
    set(
      author: Address,
      subject: Subject,
      kind: KindName,
      content: { [key: string]: Json },
      signer = author,
    ): Hash {
      const atMs = (blocks.at(-1)?.timestamp ?? 0) * 1000
      return this.raw(author, subject, kinds[kind].number, encodeCanonicalJson({ atMs, ...content }), signer)
    },
    /** Time of the current block, in ms. */
    now: () => (blocks.at(-1)?.timestamp ?? 0) * 1000,
    /** An action that the next ones under its subject build on. */
    write(
      author: Address,
      subject: Subject,
      kind: KindName,
      content: { [key: string]: Json },
      signer = author,
    ): void {
      lastOf.set(subject, this.act(author, subject, kind, content, signer))
    },
  }
}

/** An address for a vector, told from others by one byte. */
export function addressOf(byte: number): Address {
  return `0x${byte.toString(16).padStart(2, '0').repeat(20)}`
}

export function trackOf(author: Address, number: number): Subject {
  return subjectOf(author, BigInt(number))
}

export function profileOf(author: Address): Subject {
  return userSubject(author)
}

/** A node that holds tracks: its operator's address, and the key with which it signs receipts. */
export type ScriptedNode = { readonly operator: Address; readonly hotKey: Wallet }

export function nodeOf(byte: number, keyByte = byte): ScriptedNode {
  return { operator: addressOf(byte), hotKey: new Wallet(addressToBytes32(addressOf(keyByte))) }
}

/** What a track's action says of its audio. */
export type Audio = { manifest: string; storageRoot: Hash; leafCount: number; byteLength: number }

/** Receipts of nodes for a track, as they stand in its action. */
export async function receiptsOf(
  subject: Subject,
  audio: Audio,
  nodes: readonly ScriptedNode[],
): Promise<Json[]> {
  return Promise.all(
    nodes.map(async ({ operator, hotKey }) => {
      const validUntil = firstTimestamp + 400 * 86_400
      const receipt = { ...audio, operator, subject, blockNumber: 19, validUntil }
      const { signature, blockNumber } = await signReceipt(hotKey, domain, receipt)
      return { operator, blockNumber, validUntil, signature }
    }),
  )
}

function hashOf(block: number): Hash {
  return `0x${block.toString(16).padStart(64, 'b')}`
}

/** Audio that is told from others by its name. */
export async function audioOf(name: string): Promise<Audio & { durationMs: number }> {
  const bytes = new TextEncoder().encode(toCanonicalJson({ kind: 'example', name }))
  return {
    manifest: await cidOf(bytes, 'dag-json'),
    storageRoot: `0x${name.length.toString(16).padStart(2, '0').repeat(32)}`,
    leafCount: 98_304,
    byteLength: 25_165_824,
    durationMs: 180_000,
  }
}
