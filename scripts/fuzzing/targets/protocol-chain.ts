import assert from 'node:assert/strict'
import { actedFragment, decodeActed, kinds } from '@hexachord/protocol/actions'
import {
  type Archive,
  archivedBlocks,
  archiveParts,
  decodeArchive,
  encodeArchive,
  encodeReceipt,
  logsOfReceipt,
  mayHoldLogs,
} from '@hexachord/protocol/archives'
import { decodeCanonicalJson, encodeCanonicalJson, toCanonicalJson } from '@hexachord/protocol/canonical'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { decodeOperatorLog, operatorEventFragments } from '@hexachord/protocol/operators'
import { getBytes, hexlify, Interface } from 'ethers'
import {
  author,
  memoryIndex,
  receiptBy,
  stranger,
  track,
  trackContent,
} from '../../../protocol/actions/fixtures/index.ts'
import { bytesTarget, named, never, type Target, textTarget } from '../target.ts'

const place = { blockNumber: 3, blockHash: `0x${'5a'.repeat(32)}`, logIndex: 0, address: author }
const catalog = `0x${'ca'.repeat(20)}`
const log = { address: catalog, topics: [`0x${'70'.repeat(32)}`], data: '0x1234' }
const receipt = {
  ...{ type: '0x2', status: '0x1', cumulativeGasUsed: '0x5208', logsBloom: `0x${'00'.repeat(256)}` },
  logs: [log, log],
}
const archive: Archive = {
  ...{ chainId: 31_337, contracts: [catalog], firstBlock: 3, epochBlocks: 10, epoch: 1, fromBlock: 3 },
  ...{ toBlock: 19, previous: null, rulesVersion: 1, stateHash: `0x${'5a'.repeat(32)}`, blocks: 1, logs: 2 },
  parts: [],
}

/** What ethers throws for data that no event of this form has: only a chain's node that lies can send such a log. */
function isNoEvent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (error instanceof Error && error.message.startsWith('deferred error during ABI decoding')) return true
  return code === 'BUFFER_OVERRUN' || code === 'INVALID_ARGUMENT' || code === 'BAD_DATA'
}

export async function targets(): Promise<readonly Target[]> {
  const events = new Interface(operatorEventFragments)
  const acted = new Interface([actedFragment])
  const registered = events.encodeEventLog('OperatorRegistered', [
    ...[author, author, 'https://node.example', '0x0024', author, 10n ** 12n],
  ])
  const action = acted.encodeEventLog('Acted', [
    ...[author, author, 5n, 2, `0x${'01'.repeat(32)}`, new TextEncoder().encode('{"prev":null}')],
  ])
  const contents = [
    { kind: 1, content: { prev: null, name: 'Guido', handle: 'guido' } },
    { kind: 2, content: trackContent(await Promise.all([0, 1, 2].map((who) => receiptBy(who)))) },
    { kind: 3, content: { prev: null, title: 'Best of', add: [{ track }] } },
    { kind: 6, content: { prev: null, track, ground: 'other', statement: 'Mine' } },
    { kind: 7, content: { user: stranger, on: true, atMs: 5 } },
    { kind: 8, content: { target: track, on: true, atMs: 5 } },
    { kind: 10, content: { prev: null, track, text: 'Lovely', positionMs: 61_000 } },
    { kind: 11, content: { comment: track, reaction: 'fire', atMs: 5 } },
    { kind: 15, content: { key: stranger, scopes: ['save'], expiresAtMs: 9, atMs: 5 } },
  ] as const
  const encoded = encodeReceipt(receipt)
  const blocks = [
    { number: 3, hash: place.blockHash, timestamp: 1_700_000_000, receipts: [encoded, encoded] },
  ]
  const parts = await collected(archiveParts(each(blocks)))
  const part = await cidOf(new Uint8Array([1]), 'raw')
  return [
    bytesTarget({
      name: 'protocol/chain/rules',
      seeds: contents.map(({ content }) => encodeCanonicalJson(content)),
      refuses: never,
      shortRun: 200,
      // No content of an action may stop an indexer: each kind gives a verdict on whatever stands on the chain.
      read(bytes) {
        const index = memoryIndex()
        for (const number of [...Object.values(kinds).map((kind) => kind.number), 0, 7]) {
          const { verdict } = index.apply(number, track, bytes)
          if (verdict.verdict !== 'applied') continue
          decodeCanonicalJson(bytes)
          for (const { value } of verdict.changes) toCanonicalJson(value)
        }
      },
    }),
    bytesTarget({
      name: 'protocol/chain/acted-log',
      seeds: [getBytes(action.data)],
      refuses: isNoEvent,
      read(data) {
        const found = decodeActed({ ...place, topics: action.topics, data: hexlify(data) })
        assert.ok(found !== undefined && found.kind <= 0xffff && found.nonce < 2n ** 256n)
      },
    }),
    bytesTarget({
      name: 'protocol/chain/operator-log',
      seeds: [getBytes(registered.data)],
      refuses: isNoEvent,
      read(data) {
        const found = decodeOperatorLog({ ...place, topics: registered.topics, data: hexlify(data) })
        assert.ok(found?.type === 'registered' && Array.from(found.endpoint).every((letter) => letter >= ' '))
        assert.match(found.hotKey, /^0x[0-9a-f]{40}$/)
      },
    }),
    bytesTarget({
      name: 'protocol/chain/archive',
      seeds: [encodeArchive(archive), encodeArchive({ ...archive, parts: [[1, linkTo(part)]] })],
      refuses: named('ArchiveError', 'CidError'),
      read: (bytes) => assert.deepEqual(Buffer.from(encodeArchive(decodeArchive(bytes))), Buffer.from(bytes)),
    }),
    bytesTarget({
      name: 'protocol/chain/archived-blocks',
      seeds: parts,
      refuses: named('ArchiveError'),
      async read(bytes) {
        const found = await collected(archivedBlocks(each([bytes])))
        const again = await collected(archiveParts(each(found)))
        assert.deepEqual(Buffer.concat(again), Buffer.from(bytes))
      },
    }),
    bytesTarget({
      name: 'protocol/chain/archived-receipt',
      seeds: [encoded],
      refuses: named('ArchiveError'),
      read: (bytes) => void logsOfReceipt(bytes),
    }),
    textTarget({
      name: 'protocol/chain/receipt-of-a-node',
      seeds: [JSON.stringify(receipt), JSON.stringify({ ...receipt, type: '0x7e', depositNonce: '0x5' })],
      refuses: (error) => error instanceof SyntaxError || named('ArchiveError')(error),
      read: (text) => void logsOfReceipt(encodeReceipt(JSON.parse(text))),
    }),
    bytesTarget({
      name: 'protocol/chain/bloom',
      seeds: [new Uint8Array(256).fill(255)],
      refuses: named('ArchiveError'),
      read: (bytes) => void mayHoldLogs(hexlify(bytes), [catalog]),
    }),
  ]
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items
}
