import { hexlify } from 'ethers'
import type { Json } from '../canonical/index.ts'
import { cidOf, digestHex, encodeDagJson, linkTo } from '../cids/index.ts'
import { type Address, largestNumber, subjectOf, subjectToBytes32 } from '../names/index.ts'

/** Subjects: author and number, as text and as the 32 bytes on the chain. */
export async function subjects(): Promise<Json> {
  const authors: Address[] = [
    '0x00112233445566778899aabbccddeeff00112233',
    '0xffffffffffffffffffffffffffffffffffffffff',
  ]
  return authors.flatMap((author) =>
    [0n, 1n, 255n, 2n ** 64n, largestNumber].map((number) => {
      const subject = subjectOf(author, number)
      return { author, number: String(number), subject, bytes32: subjectToBytes32(subject) }
    }),
  )
}

/** Blocks and their names: raw bytes in hex, and DAG-JSON by value and bytes. */
export async function cids(): Promise<Json> {
  const raw = ['', 'hello world', 'Übung №1'].map((text) => new TextEncoder().encode(text))
  const link = linkTo(await cidOf(new TextEncoder().encode('hello world'), 'raw'))
  const values: Json[] = [{}, { b: 1, a: [true, null, 'ü', -7] }, { z: link, links: [link, { deep: link }] }]
  return {
    raw: await Promise.all(raw.map((bytes) => named(bytes, 'raw'))),
    dagJson: await Promise.all(
      values.map(async (value) => ({ value, ...(await named(encodeDagJson(value), 'dag-json')) })),
    ),
  }
}

async function named(bytes: Uint8Array, codec: 'raw' | 'dag-json') {
  const cid = await cidOf(bytes, codec)
  return { bytes: hexlify(bytes), cid, digest: digestHex(cid) }
}
