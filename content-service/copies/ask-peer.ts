import { parsed } from '@hexachord/protocol/checked'
import type { Operator } from '@hexachord/protocol/operators'
import {
  bucketOf,
  compareHeld,
  type HeldTrack,
  type HoldingAnswer,
  type HoldingDigests,
  holdingAnswerSchema,
  holdingBucketSchema,
  holdingDigestsSchema,
  holdingRoot,
  lineOf,
} from '@hexachord/protocol/receipts'
import type { NodeClient } from '@hexachord/storage/peers'
import type * as z from 'zod'

/** Another operator does not answer, or not as it should. */
export class PeerFailed extends Error {
  override readonly name = 'PeerFailed'
}

const answerMs = 10_000
/** A full page takes 150 kB; digests 18 kB. */
const answerBytes = 512 * 1024
/** Tracks that one operator may claim in one bucket: five million in all. */
const bucketLimit = 20_000

type Asking = { client: NodeClient; peer: Pick<Operator, 'endpoint'>; signal: AbortSignal }

/** @throws PeerFailed, or the signal's reason */
export async function askDigests(asking: Asking): Promise<HoldingDigests> {
  const digests = await ask(asking, '/holdings', holdingDigestsSchema)
  if ((await holdingRoot(digests.buckets)) !== digests.root) {
    throw new PeerFailed(`${asking.peer.endpoint} gives digests that do not make up their root`)
  }
  return digests
}

/** A whole bucket. Its digest is that of what came, whatever was announced: it may have changed in between.
 * @throws PeerFailed, or the signal's reason */
export async function askBucket(asking: Asking, bucket: number): Promise<HeldTrack[]> {
  const items: HeldTrack[] = []
  let after: string | null = ''
  while (after !== null) {
    const path: string = `/holdings/${bucket}?after=${encodeURIComponent(after)}`
    const page: z.output<typeof holdingBucketSchema> = await ask(asking, path, holdingBucketSchema)
    for (const item of page.items) {
      const last = items.at(-1)
      if (bucketOf(item.manifest) !== bucket || (last !== undefined && compareHeld(last, item) >= 0)) {
        throw new PeerFailed(
          `${asking.peer.endpoint} lists ${lineOf(item)} where it does not belong, in bucket ${bucket}`,
        )
      }
      items.push(item)
    }
    if (page.next !== null && page.items.length === 0) {
      throw new PeerFailed(`${asking.peer.endpoint} does not come to the end of bucket ${bucket}`)
    }
    if (items.length > bucketLimit) {
      throw new PeerFailed(
        `${asking.peer.endpoint} lists more than ${bucketLimit} tracks in bucket ${bucket}`,
      )
    }
    if (page.next?.isWellFormed() === false)
      throw new PeerFailed(`${asking.peer.endpoint} gives a cursor that is no text`)
    after = page.next
  }
  return items
}

/** How it stands with one track there at this moment. @throws PeerFailed, or the signal's reason */
export async function askState(
  asking: Asking,
  { subject, manifest }: HeldTrack,
): Promise<HoldingAnswer['states'][number]> {
  const json = { tracks: [{ subject, manifest }] }
  const { states } = await ask(asking, '/holdings', holdingAnswerSchema, json)
  return states[0] ?? 'none'
}

async function ask<Schema extends z.ZodType>(
  { client, peer, signal }: Asking,
  path: string,
  schema: Schema,
  json?: unknown,
): Promise<z.output<Schema>> {
  try {
    const request = { signal, timeoutMs: answerMs, maxBytes: answerBytes }
    const response = await client(peer.endpoint, path, json === undefined ? request : { ...request, json })
    const text = await response.text()
    if (response.status !== 200) {
      throw new PeerFailed(`${peer.endpoint} answers ${response.status}: ${text.slice(0, 200)}`)
    }
    return parsed(schema, JSON.parse(text))
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof PeerFailed) throw cause
    throw new PeerFailed(`${peer.endpoint}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}
