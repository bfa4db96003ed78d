import { type LoadedRendition, ManifestError } from '@hexachord/protocol/manifests'
import type { Address } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import { loadManifest } from '../finding/index.ts'

/** What a premium track has to be. */
export type AskedPremium = {
  /** These have its keys, and nobody else. @default it matters only that somebody has them */
  readonly keyHolders?: readonly Address[] | undefined
  /** So much of its beginning is in the clear at most. @default it does not matter */
  readonly clearMs?: number | undefined
}

/** A segment ends where a frame does, and so may be some ms longer than planned. */
const strayMsOfSegment = 200

/** A premium track was asked for, and this is not what was made or published. Nothing was signed for it. */
export class NotPremium extends Error {
  override readonly name = 'NotPremium'
}

/**
 * Looks at the manifest of a track that has to be premium, and at all its renditions, whatever a node says of it.
 * @throws NotPremium, RetrievalFailed where nobody gives the manifest, and the signal's reason
 */
export async function checkPremium(
  connection: Pick<Connection, 'http' | 'creators'>,
  track: Parameters<typeof loadManifest>[1],
  { keyHolders, clearMs }: AskedPremium,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { manifest, renditions } = await loadManifest(connection, track, options).catch((cause: unknown) => {
    // Such as sound in the clear beside the same sound encrypted.
    throw cause instanceof ManifestError ? new NotPremium(cause.message, { cause }) : cause
  })
  const told = manifest.keyHolders
  if (told === undefined) throw new NotPremium('it is not encrypted: anybody can play it')
  if (keyHolders !== undefined && !isSameList(told, keyHolders)) {
    throw new NotPremium(`its key holders are ${told.join(', ')}; asked for were ${keyHolders.join(', ')}`)
  }
  if (clearMs !== undefined && renditions.some((rendition) => isClearBeyond(rendition, clearMs))) {
    throw new NotPremium(`more of it is in the clear than the ${clearMs} ms that were asked for`)
  }
}

export function isSameList(some: readonly Address[], others: readonly Address[]): boolean {
  const [one, other] = [new Set(some), new Set(others)]
  return one.size === other.size && some.every((address) => other.has(address))
}

function isClearBeyond({ encryption, segments, timescale }: LoadedRendition, clearMs: number): boolean {
  const clear = segments.slice(0, encryption?.clearSegments)
  const ms = (clear.reduce((sum, [ticks]) => sum + ticks, 0) * 1000) / timescale
  return ms > clearMs + strayMsOfSegment * clear.length
}
