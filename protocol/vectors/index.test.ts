import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, test } from '@jest/globals'
import { recoverAddress } from 'ethers'
import { lintPlaylist } from '../hls-lint/index.ts'
import { base32, digestInCid, fromHex, keccak, readVector, sha256, toHex, word } from './by-hand.ts'
import { exampleBytes, vectorFiles } from './index.ts'

// The second half of this file computes the vectors once more, from the description alone: with byte
// concatenation and hash functions, and nothing of the code that made them.

test.each([...(await vectorFiles())])('%s is what the code computes today', async (file, text) => {
  expect(await readFile(new URL(file, import.meta.url), 'utf8')).toBe(text)
})

test('no file is left over', async () => {
  const files = await readdir(new URL('.', import.meta.url))
  expect(files.filter((file) => file.endsWith('.json')).sort()).toEqual(
    [...(await vectorFiles()).keys()].sort(),
  )
})

type SignedMessages = {
  domain: { name: string; version: string; chainId: number; verifyingContract: string }
  signer: string
  messages: { type: string; message: Record<string, string | number>; digest: string; signature: string }[]
}
const { domain, signer, messages }: SignedMessages = await readVector('signed-messages.json')

describe('signed messages, by hand', () => {
  const separator = keccak(
    keccak(Buffer.from('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')),
    keccak(Buffer.from(domain.name)),
    keccak(Buffer.from(domain.version)),
    word(BigInt(domain.chainId)),
    word(BigInt(domain.verifyingContract)),
  )

  test.each(messages)('$type', ({ type, message, digest, signature }) => {
    const fields = type.slice(type.indexOf('(') + 1, -1).split(',')
    const words = fields.map((field) => {
      const [fieldType = '', name = ''] = field.split(' ')
      const value = message[name] ?? ''
      if (fieldType === 'string') return keccak(Buffer.from(String(value)))
      if (fieldType === 'bytes') return keccak(fromHex(String(value)))
      return word(BigInt(value))
    })
    const struct = keccak(keccak(Buffer.from(type)), ...words)
    const byHand = toHex(keccak(Buffer.from([0x19, 0x01]), separator, struct))
    expect(byHand).toBe(digest)
    expect(recoverAddress(byHand, signature).toLowerCase()).toBe(signer)
    const halfOfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
    expect(BigInt(`0x${signature.slice(66, 130)}`)).toBeLessThanOrEqual(halfOfOrder)
    expect(['1b', '1c']).toContain(signature.slice(130))
  })
})

type Subject = { author: string; number: string; subject: string; bytes32: string }
test.each(await readVector<Subject[]>('subjects.json'))(
  'subject $subject, by hand',
  ({ author, number, ...rest }) => {
    expect(rest).toEqual({
      subject: `${author}-${number}`,
      bytes32: author + BigInt(number).toString(16).padStart(24, '0'),
    })
  },
)

type Block = { bytes: string; cid: string; digest: string }
const cids = await readVector<{ raw: Block[]; dagJson: (Block & { value: unknown })[] }>('cids.json')

describe('names of blocks, by hand', () => {
  test.each([...cids.raw, ...cids.dagJson])('$cid', ({ bytes, cid, digest }) => {
    expect(toHex(sha256(fromHex(bytes)))).toBe(digest)
    const codec = cid.startsWith('baguqeera') ? [0xa9, 0x02] : [0x55]
    expect(cid).toBe(`b${base32(Buffer.concat([Buffer.from([1, ...codec, 0x12, 32]), fromHex(digest)]))}`)
  })

  test.each(cids.dagJson)('value of $cid', ({ value, bytes }) => {
    expect(JSON.parse(fromHex(bytes).toString())).toEqual(value)
    expect(fromHex(bytes).toString()).not.toMatch(/\s/)
  })
})

type Root = { byteLength: number; leafCount: number; root: string; cid: string }
const { blocks: roots } = await readVector<{ blocks: Root[] }>('block-roots.json')
test.each(roots)('root of a block of $byteLength bytes, by hand', ({ byteLength, leafCount, root, cid }) => {
  const bytes = Buffer.from(exampleBytes(byteLength, 0))
  expect(toHex(blockRoot(bytes))).toBe(root)
  expect(leafCount).toBe(Math.ceil(byteLength / 256))
  expect(digestInCid(cid)).toEqual(sha256(bytes))
})

type Track = {
  manifest: string
  blocks: { cid: string; byteLength: number; root: string; bytes: string }[]
  storageRoot: { root: string; leafCount: number; byteLength: number }
  proof: {
    leafIndex: number
    leaf: string
    leafPath: string[]
    cid: string
    byteLength: number
    firstLeaf: number
    entryIndex: number
    entryPath: string[]
  }
  masterPlaylist: string
  mediaPlaylists: string[]
}
const tracks = [
  { name: 'the example track', track: await readVector<Track>('track.json') },
  { name: 'the example track with its original', track: await readVector<Track>('track-with-original.json') },
]

describe.each(tracks)('$name, by hand', ({ track }) => {
  const [manifest, ...rest] = track.blocks.map(({ cid, bytes }) => ({ cid, bytes: fromHex(bytes) }))

  test('holds blocks under their names, and just those that are linked from its manifest', () => {
    for (const { cid, bytes } of track.blocks) expect(digestInCid(cid)).toEqual(sha256(fromHex(bytes)))
    expect(manifest?.cid).toBe(track.manifest)
    const linked = track.blocks
      .filter(({ cid }) => cid.startsWith('baguqeera'))
      .flatMap(({ bytes }) =>
        Array.from(
          fromHex(bytes)
            .toString()
            .matchAll(/"\/":"(\w+)"/g),
          ([, cid]) => cid,
        ),
      )
    expect(new Set(linked)).toEqual(new Set(rest.map(({ cid }) => cid)))
  })

  test('has its storage root', () => {
    let firstLeaf = 0
    const entries = track.blocks.map(({ cid, bytes, byteLength, root }) => {
      expect(toHex(blockRoot(fromHex(bytes)))).toBe(root)
      const hashed = entry(root, firstLeaf, byteLength, cid)
      firstLeaf += Math.ceil(byteLength / 256)
      return hashed
    })
    expect(track.storageRoot).toEqual({
      root: toHex(rootOf(entries)),
      leafCount: firstLeaf,
      byteLength: track.blocks.reduce((sum, { byteLength }) => sum + byteLength, 0),
    })
  })

  test('has a proof that leads to its storage root', () => {
    const { leaf, leafPath, leafIndex, firstLeaf, byteLength, cid, entryIndex, entryPath } = track.proof
    const block = climb(sha256(fromHex(leaf)), leafIndex - firstLeaf, leafPath)
    const top = climb(entry(toHex(block), firstLeaf, byteLength, cid), entryIndex, entryPath)
    expect(toHex(top)).toBe(track.storageRoot.root)
  })

  test('has valid playlists that name its blocks', () => {
    expect(lintPlaylist(track.masterPlaylist)).toEqual([])
    const known = new Set(track.blocks.map(({ cid }) => cid))
    for (const playlist of track.mediaPlaylists) {
      expect(lintPlaylist(playlist)).toEqual([])
      const named = Array.from(playlist.matchAll(/\/ipfs\/(\w+)/g), ([, cid = '']) => cid)
      expect(named).toHaveLength(5)
      expect(named.filter((cid) => !known.has(cid))).toEqual([])
    }
  })
})

function blockRoot(bytes: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 256) * 256)
  bytes.copy(padded)
  return rootOf(
    Array.from({ length: padded.length / 256 }, (_, i) => sha256(padded.subarray(i * 256, i * 256 + 256))),
  )
}

function entry(root: string, firstLeaf: number, byteLength: number, cid: string): Buffer {
  const numbers = Buffer.alloc(16)
  numbers.writeBigUInt64BE(BigInt(firstLeaf), 0)
  numbers.writeBigUInt64BE(BigInt(byteLength), 8)
  return sha256(fromHex(root), numbers, digestInCid(cid))
}

function rootOf(nodes: Buffer[]): Buffer {
  const missing = 2 ** Math.ceil(Math.log2(nodes.length)) - nodes.length
  let level = [...nodes, ...Array.from({ length: missing }, () => Buffer.alloc(32))]
  while (level.length > 1) {
    level = level.flatMap((node, i) => (i % 2 === 0 ? [sha256(node, level[i + 1] ?? node)] : []))
  }
  return Buffer.concat(level)
}

function climb(node: Buffer, index: number, path: string[]): Buffer {
  const [sibling, ...rest] = path
  if (sibling === undefined) return node
  const parent = index % 2 === 0 ? sha256(node, fromHex(sibling)) : sha256(fromHex(sibling), node)
  return climb(parent, Math.floor(index / 2), rest)
}
