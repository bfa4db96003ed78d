import type { GuardedFetch } from '@hexachord/platform/http'
import { CidError } from '@hexachord/protocol/cids'
import {
  audioFileOf,
  type LoadedTrack,
  loadTrack,
  ManifestError,
  type Original,
  type Picture,
  renditionName,
  usualRendition,
} from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import pLimit from 'p-limit'
import { gatewayRetriever } from '../archives/fetch-archive.ts'
import { gatewayOf } from '../reading/live-holders.ts'

/** What a manifest says of a track's audio. It stands on no chain: it was read from holders, and checked by its hash. */
export type KnownAudio = {
  readonly usual: AudioFile
  /** All of them, the usual one too. */
  readonly files: readonly AudioFile[]
  readonly manifestBytes: number
  readonly cover: Picture | undefined
  readonly original: Original | undefined
}

/** A rendition as a file. */
export type AudioFile = {
  readonly name: string
  /** RFC 6381 */
  readonly codec: string
  readonly bitsPerSecond: number
  readonly byteLength: number
}

export type AudioKnowledge = {
  /** Undefined for those whose holders have not told in time, or were not asked yet. */
  of(tracks: readonly Pick<Track, 'manifest' | 'holders'>[]): Promise<(KnownAudio | undefined)[]>
}

/** About 1 kB each: some of the longest lists. */
const maximumKnown = 10_000
/** Manifests read at one time, and how many more may wait for their turn. */
const readsAtOnce = 8
const maximumWaiting = 1_000
/** Manifests that are read for one who asks, the first of the list first; for the next one further ones. */
const readsPerAsk = 300
/** A manifest and its renditions are some kB, from three holders. */
const readTimeoutMs = 4_000
/** Whoever asks for a feed waits for so long at most; what comes later is known to the next one. */
const patienceMs = 6_000
/** After which holders that told nothing are asked again. */
const againAfterMs = 30_000

type Entry = { readonly audio: Promise<KnownAudio | undefined>; untilMs: number }

/** @param fetch guarded: endpoints are whatever operators have registered */
export function createAudioKnowledge({
  fetch,
  now,
}: {
  fetch: GuardedFetch
  now: () => number
}): AudioKnowledge {
  const entries = new Map<string, Entry>()
  const limit = pLimit(readsAtOnce)

  function kept({ manifest }: Pick<Track, 'manifest'>): Promise<KnownAudio | undefined> | undefined {
    const entry = entries.get(manifest)
    return entry !== undefined && entry.untilMs > now() ? entry.audio : undefined
  }

  function ask(track: Pick<Track, 'manifest' | 'holders'>): Promise<KnownAudio | undefined> {
    if (limit.pendingCount >= maximumWaiting) return Promise.resolve(undefined)
    const audio = limit(() => read(track, fetch))
    const fresh: Entry = { audio, untilMs: Number.POSITIVE_INFINITY }
    entries.delete(track.manifest)
    entries.set(track.manifest, fresh)
    for (const oldest of entries.keys()) {
      if (entries.size <= maximumKnown) break
      entries.delete(oldest)
    }
    return audio.then((value) => {
      // What a hash names never changes; what nobody gave may come.
      if (value === undefined) fresh.untilMs = now() + againAfterMs
      return value
    })
  }

  return {
    async of(tracks) {
      const { promise: late, resolve } = Promise.withResolvers<undefined>()
      const timer = setTimeout(() => resolve(undefined), patienceMs)
      let asked = 0
      const known = (track: Pick<Track, 'manifest' | 'holders'>) =>
        kept(track) ?? (asked++ < readsPerAsk ? ask(track) : undefined)
      try {
        return await Promise.all(tracks.map((track) => Promise.race([known(track), late])))
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

async function read(
  { manifest, holders }: Pick<Track, 'manifest' | 'holders'>,
  fetch: GuardedFetch,
): Promise<KnownAudio | undefined> {
  const retriever = gatewayRetriever(
    holders.map(({ endpoint }) => gatewayOf(endpoint)),
    fetch,
  )
  const signal = AbortSignal.timeout(readTimeoutMs)
  try {
    return audioOf(
      await loadTrack(manifest, async (cid) => (await retriever.retrieve(cid, { signal })).bytes),
    )
  } catch (error) {
    const isUnknown =
      error instanceof RetrievalFailed || error instanceof ManifestError || error instanceof CidError
    if (isUnknown || signal.aborted) return undefined
    throw error
  }
}

function audioOf(track: LoadedTrack): KnownAudio {
  const files = track.renditions.map(
    (rendition, place): AudioFile => ({
      name: renditionName(track, place),
      codec: rendition.codec,
      bitsPerSecond: rendition.averageBandwidth,
      byteLength: audioFileOf(rendition).byteLength,
    }),
  )
  const usual = files[usualRendition(track)]
  if (usual === undefined) throw new ManifestError('a track has at least one rendition')
  const { cover = [], original } = track.manifest
  const [largest] = [...cover].sort((a, b) => b.width - a.width)
  return { usual, files, manifestBytes: track.byteLength, cover: largest, original }
}
