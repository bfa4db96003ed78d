import { createWriter, headerLength } from '@ipld/car/buffer-writer'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { parseCid } from '../cids/index.ts'

/** Beginning of a CARv1 with these roots. @throws CidError */
export function carHeader(roots: readonly string[]): Uint8Array {
  const cids = roots.map((root) => CID.parse(parseCid(root).cid))
  return createWriter(new ArrayBuffer(headerLength({ roots: cids })), { roots: cids }).close()
}

/** One block in a CARv1: what stands before its bytes (length and name), and the bytes. @throws CidError */
export function carSection(cid: string, bytes: Uint8Array): [prefix: Uint8Array, bytes: Uint8Array] {
  const name = CID.parse(parseCid(cid).cid).bytes
  const length = name.length + bytes.length
  const prefix = new Uint8Array(varint.encodingLength(length) + name.length)
  varint.encodeTo(length, prefix)
  prefix.set(name, prefix.length - name.length)
  return [prefix, bytes]
}

/** Bytes that a block takes up in a CARv1. @throws CidError */
export function carSectionLength(cid: string, byteLength: number): number {
  const length = CID.parse(parseCid(cid).cid).bytes.length + byteLength
  return varint.encodingLength(length) + length
}
