import { describe, expect, test } from '@jest/globals'
import { concat, encodeRlp, getBytes, hexlify, keccak256, toBeHex } from 'ethers'
import fc from 'fast-check'
import { cidOf, linkTo } from '../cids/index.ts'
import {
  type Archive,
  type ArchivedBlock,
  ArchiveError,
  archivedBlocks,
  archiveParts,
  checkPlace,
  decodeArchive,
  encodeArchive,
  encodeReceipt,
  logsOfReceipt,
  mayHoldLogs,
  orderedTrieRoot,
  type ProvableHeader,
  proveBlocks,
} from './index.ts'

const catalog = `0x${'ca'.repeat(20)}`
const stranger = `0x${'57'.repeat(20)}`
const topic = `0x${'70'.repeat(32)}`

type Log = { address: string; topics: string[]; data: string }
const logBy = (address: string, data = '0x1234'): Log => ({ address, topics: [topic], data })

/** Bits of the yellow paper, by big integers. */
function bloomOf(logs: readonly Log[]): string {
  let bloom = 0n
  for (const item of logs.flatMap(({ address, topics }) => [address, ...topics])) {
    const hash = keccak256(item)
    for (const at of [2, 6, 10]) bloom |= 1n << (BigInt(`0x${hash.slice(at, at + 4)}`) % 2048n)
  }
  return toBeHex(bloom, 256)
}

function receiptOf(logs: readonly Log[], type = '0x2') {
  return { type, status: '0x1', cumulativeGasUsed: '0x5208', logsBloom: bloomOf(logs), logs }
}

/** A block whose transactions left these logs, as the chain and as an archive have it. */
function blockOf(number: number, transactions: readonly (readonly Log[])[]) {
  const receipts = transactions.map((logs) => encodeReceipt(receiptOf(logs)))
  const hash = toBeHex(number + 1, 32)
  const timestamp = 1_700_000_000 + number
  const header: ProvableHeader = {
    number,
    hash,
    parentHash: toBeHex(number, 32),
    timestamp,
    receiptsRoot: orderedTrieRoot(receipts),
    logsBloom: bloomOf(transactions.flat()),
    transactions: transactions.map((_, index) => toBeHex(1000 * number + index, 32)),
  }
  const archived: ArchivedBlock = { number, hash, timestamp, receipts }
  return { header, archived }
}

async function* each<T>(values: readonly T[]) {
  yield* values
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const value of values) found.push(value)
  return found
}

const prove = (headers: readonly ProvableHeader[], archived: readonly ArchivedBlock[]) =>
  all(proveBlocks(each(headers), each(archived), { contracts: [catalog], parentHash: undefined }))

describe('the receipts of a block', () => {
  test('hash to the root that a chain gives them', () => {
    // A block of a real chain: one transaction with a log, and one without.
    const bloom = (bits: Record<number, string>) =>
      `0x${Array.from({ length: 256 }, (_, at) => bits[at] ?? '00').join('')}`
    const log = {
      address: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
      topics: [`0x${'0'.repeat(62)}aa`],
      data: '0x',
    }
    const receipts = [
      { type: '0x2', status: '0x1', cumulativeGasUsed: '0xd2d7', logsBloom: bloomOf([log]), logs: [log] },
      { type: '0x2', status: '0x1', cumulativeGasUsed: '0x124df', logsBloom: bloom({}), logs: [] },
    ].map(encodeReceipt)
    expect(orderedTrieRoot(receipts)).toBe(
      '0xeedf0f2980fed5f7f2610366eb3831db615679dd048721b8c5eabbc05eac6aa0',
    )
    expect(orderedTrieRoot([])).toBe('0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421')
  })

  test('of more than 128 transactions have longer keys, and every one counts', () => {
    const receipts = Array.from({ length: 300 }, (_, index) =>
      encodeReceipt(receiptOf([logBy(stranger, toBeHex(index, 32))])),
    )
    const root = orderedTrieRoot(receipts)
    for (const index of [0, 1, 127, 128, 129, 255, 256, 299]) {
      expect(orderedTrieRoot(receipts.with(index, receipts[2] ?? new Uint8Array()))).not.toBe(root)
    }
    expect(orderedTrieRoot(receipts.slice(0, -1))).not.toBe(root)
  })

  test.each([['0x0'], ['0x1'], ['0x2'], ['0x7e']])('keep their logs, whatever the type: %s', (type) => {
    const logs = [logBy(catalog), logBy(stranger, '0x')]
    const encoded = encodeReceipt({
      ...receiptOf(logs, type),
      depositNonce: '0x5',
      depositReceiptVersion: '0x1',
    })
    expect(logsOfReceipt(encoded)).toEqual(logs)
  })

  test('that are none are refused', () => {
    expect(() => encodeReceipt({ status: '0x1' })).toThrow(ArchiveError)
    expect(() => encodeReceipt(receiptOf([], `0x${'ff'.repeat(20)}`))).toThrow(ArchiveError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          logsOfReceipt(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ArchiveError)
        }
      }),
    )
  })
})

describe('a bloom filter', () => {
  test('never hides a contract that logged', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 20, maxLength: 20 }), { minLength: 1, maxLength: 20 }),
        (all) => {
          const addresses = all.map((bytes) => hexlify(bytes))
          const bloom = bloomOf(addresses.map((address) => logBy(address)))
          for (const address of addresses) expect(mayHoldLogs(bloom, [catalog, address])).toBe(true)
        },
      ),
    )
  })

  test('rules out one that did not', () => {
    expect(mayHoldLogs(bloomOf([logBy(stranger)]), [catalog])).toBe(false)
    expect(() => mayHoldLogs('0x00', [catalog])).toThrow(ArchiveError)
  })
})

describe('archived blocks', () => {
  test('come back from parts as they were', async () => {
    const big = logBy(stranger, `0x${'ff'.repeat(700_000)}`)
    const blocks = [
      blockOf(3, [[logBy(catalog)], []]),
      blockOf(9, [[big], [big, logBy(catalog)]]),
      blockOf(10, [[logBy(catalog)]]),
    ].map(({ archived }) => archived)
    const parts = await all(archiveParts(each(blocks)))
    expect(parts.map(({ length }) => length).slice(0, -1)).toEqual([1 << 20])
    expect(await all(archivedBlocks(each(parts)))).toEqual(blocks)
    expect(await all(archiveParts(each<ArchivedBlock>([])))).toEqual([])
  })

  test('that were damaged are refused or are what they were, and nothing worse happens', async () => {
    const [part = new Uint8Array()] = await all(
      archiveParts(each([blockOf(3, [[logBy(catalog)]]).archived, blockOf(4, [[logBy(catalog)]]).archived])),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(part.length - 1),
        fc.nat(255),
        fc.nat(part.length),
        async (at, byte, length) => {
          const damaged = part.slice(0, length)
          if (at < length) damaged[at] = byte
          try {
            await all(archivedBlocks(each([damaged])))
          } catch (error) {
            expect(error).toBeInstanceOf(ArchiveError)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('of an absurd length are refused before they are read', async () => {
    const claims = getBytes(concat(['0xff', `0x${'ff'.repeat(8)}`]))
    await expect(all(archivedBlocks(each([claims])))).rejects.toThrow('is none')
    await expect(all(archivedBlocks(each([getBytes(encodeRlp(['0x01']))])))).rejects.toThrow('long lists')
  })

  test('out of order are refused', async () => {
    const [late, early] = [blockOf(9, [[logBy(catalog)]]), blockOf(3, [[logBy(catalog)]])]
    const parts = await all(archiveParts(each([late.archived, early.archived])))
    await expect(all(archivedBlocks(each(parts)))).rejects.toThrow('out of order')
  })
})

describe('logs are proven by headers', () => {
  const silent = blockOf(5, [[logBy(stranger)]])
  const active = blockOf(6, [
    [logBy(stranger)],
    [logBy(stranger), logBy(catalog, '0xaa')],
    [logBy(catalog, '0xbb')],
  ])
  const last = blockOf(7, [])
  const headers = [silent.header, active.header, last.header]

  test('with their places in block and transaction', async () => {
    const proven = await prove(headers, [active.archived])
    expect(proven.map(({ header }) => header.number)).toEqual([5, 6, 7])
    const { number: blockNumber, hash: blockHash, timestamp: blockTimestamp, transactions } = active.header
    const place = { blockNumber, blockHash, blockTimestamp }
    expect(proven[1]?.logs).toEqual([
      {
        ...logBy(catalog, '0xaa'),
        ...place,
        logIndex: 2,
        transactionIndex: 1,
        transactionHash: transactions[1],
      },
      {
        ...logBy(catalog, '0xbb'),
        ...place,
        logIndex: 3,
        transactionIndex: 2,
        transactionHash: transactions[2],
      },
    ])
    expect([proven[0]?.logs, proven[2]?.logs]).toEqual([[], []])
  })

  const forged = encodeReceipt(receiptOf([logBy(catalog, '0xcc')]))
  const { archived } = active
  test.each<[string, ArchivedBlock[], RegExp]>([
    ['leaves a block out', [], /leaves out block 6/],
    [
      'alters a log',
      [{ ...archived, receipts: archived.receipts.with(2, forged) }],
      /receipts of block 6 .* are others/,
    ],
    ['drops a receipt', [{ ...archived, receipts: archived.receipts.slice(0, 2) }], /are others/],
    ['adds a receipt', [{ ...archived, receipts: [...archived.receipts, forged] }], /are others/],
    ['swaps receipts', [{ ...archived, receipts: archived.receipts.toReversed() }], /are others/],
    ['names another hash', [{ ...archived, hash: silent.header.hash }], /another than on the chain/],
    ['names another time', [{ ...archived, timestamp: 1 }], /another than on the chain/],
    ['holds a block that cannot have logs', [silent.archived, archived], /there cannot be any log/],
    ['holds a block past its end', [archived, blockOf(9, [[logBy(catalog)]]).archived], /out of its place/],
  ])('so that an archive is refused which %s', async (_, blocks, message) => {
    await expect(prove(headers, blocks)).rejects.toThrow(message)
    await expect(prove(headers, blocks)).rejects.toBeInstanceOf(ArchiveError)
  })

  test('which must follow each other', async () => {
    await expect(prove([silent.header, last.header], [])).rejects.toThrow('does not follow')
  })
})

describe('an archive', () => {
  const network = { chainId: 31_337, contracts: [catalog], firstBlock: 3, epochBlocks: 10 }
  const archive: Archive = {
    ...network,
    epoch: 1,
    fromBlock: 3,
    toBlock: 19,
    previous: null,
    rulesVersion: 1,
    stateHash: `0x${'5a'.repeat(32)}`,
    blocks: 1,
    logs: 2,
    parts: [],
  }

  test('comes back from its bytes, and is the same bytes wherever it is made', async () => {
    const part = new Uint8Array([1, 2, 3])
    const whole: Archive = { ...archive, parts: [[3, linkTo(await cidOf(part, 'raw'))]] }
    const bytes = encodeArchive(whole)
    expect(decodeArchive(bytes)).toEqual(whole)
    const shuffled = Object.fromEntries(Object.entries(whole).reverse()) as Archive
    expect(encodeArchive(shuffled)).toEqual(bytes)
  })

  test.each<[string, Partial<Archive>]>([
    ['another end than its epoch', { toBlock: 20 }],
    ['a beginning behind its end', { fromBlock: 20 }],
    ['a state hash that is none', { stateHash: '0x' as Archive['stateHash'] }],
    ['no contract', { contracts: [] }],
    ['an address in another spelling', { contracts: [catalog.toUpperCase()] }],
  ])('is refused with %s', (_, change) => {
    expect(() => encodeArchive({ ...archive, ...change })).toThrow(ArchiveError)
  })

  test('has one place in the chain of archives of one network', async () => {
    expect(() => checkPlace(archive, network, undefined)).not.toThrow()
    const root = await cidOf(encodeArchive(archive), 'dag-json')
    const next: Archive = { ...archive, epoch: 4, fromBlock: 20, toBlock: 49, previous: root }
    const before = { root, toBlock: 19 }
    expect(() => checkPlace(next, network, before)).not.toThrow()
    expect(() => checkPlace(next, network, undefined)).toThrow('does not follow')
    expect(() => checkPlace({ ...next, previous: null }, network, before)).toThrow('does not follow')
    expect(() => checkPlace({ ...next, fromBlock: 21 }, network, before)).toThrow('does not follow')
    expect(() => checkPlace(archive, { ...network, chainId: 1 }, undefined)).toThrow('another network')
  })
})
