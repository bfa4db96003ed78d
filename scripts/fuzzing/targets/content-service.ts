import assert from 'node:assert/strict'
import { cidOf } from '@hexachord/protocol/cids'
import { subjectOf } from '@hexachord/protocol/names'
import { bucketDigest, bucketOf, holdingBuckets, holdingRoot } from '@hexachord/protocol/receipts'
import type { NodeClient } from '@hexachord/storage/peers'
import { askBucket, askDigests, askState } from '../../../content-service/copies/ask-peer.ts'
import { readBlockList } from '../../../content-service/pulling/read-block-list.ts'
import { named, type Target, textTarget } from '../target.ts'

const signal = new AbortController().signal
const peer = { endpoint: 'https://peer.example' }

/** Another node, which answers this text. */
function answering(text: string): NodeClient {
  return async () => new Response(text) as never
}

export async function targets(): Promise<readonly Target[]> {
  const cid = await cidOf(new Uint8Array([1]), 'raw')
  const manifest = await cidOf(new Uint8Array([2]), 'dag-json')
  const subject = subjectOf(`0x${'a1'.repeat(20)}`, 7n)
  const empty = await bucketDigest([])
  const buckets = Array.from({ length: holdingBuckets }, () => empty)
  const peerFailed = named('PeerFailed')
  const items = [{ cid, byteLength: 5 }]
  return [
    textTarget({
      name: 'content-service/block-list',
      seeds: [
        JSON.stringify({ items, next: '1', state: 'growing', manifest: null }),
        JSON.stringify({ items: [], next: '1', state: 'complete', manifest }),
      ],
      refuses: named('PullRefused', 'ListUnavailable'),
      async read(text) {
        const source = 'https://peer.example/uploads/1/blocks'
        const list = await readBlockList({ client: answering(text), source, after: '0', waitMs: 1, signal })
        assert.ok(list.items.length <= 1000 && list.items.every(({ byteLength }) => byteLength > 0))
      },
    }),
    textTarget({
      name: 'content-service/digests',
      seeds: [JSON.stringify({ root: await holdingRoot(buckets), buckets })],
      refuses: peerFailed,
      shortRun: 150,
      read: (text) => askDigests({ client: answering(text), peer, signal }),
    }),
    textTarget({
      name: 'content-service/bucket',
      seeds: [JSON.stringify({ items: [{ subject, manifest }], next: null })],
      refuses: peerFailed,
      async read(text) {
        const bucket = bucketOf(manifest)
        const found = await askBucket({ client: answering(text), peer, signal }, bucket)
        assert.ok(found.every((held) => bucketOf(held.manifest) === bucket))
      },
    }),
    textTarget({
      name: 'content-service/state',
      seeds: ['{"states":["held"]}', '{"states":[]}'],
      refuses: peerFailed,
      async read(text) {
        const state = await askState({ client: answering(text), peer, signal }, { subject, manifest })
        assert.ok(['held', 'bringing', 'none'].includes(state))
      },
    }),
  ]
}
