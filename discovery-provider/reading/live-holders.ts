import { FetchFailed, type GuardedFetch } from '@hexachord/platform/http'
import type { Holder } from '@hexachord/protocol/rest'
import pLimit from 'p-limit'

/** Finds out which holders of a manifest answer for it at this moment. */
export type LiveHolders = {
  /** One that has the manifest, or undefined when none answers in time. Load is spread over those that do. */
  find(manifest: string, holders: readonly Holder[]): Promise<Holder | undefined>
  /** Those that are not known to be away at this moment: where to go on when another one fails. Asks nobody. */
  notAway(manifest: string, holders: readonly Holder[]): Holder[]
}

/** A listener waits for this; a node that takes longer would not be pleasant to listen to. */
const probeTimeoutMs = 1_500

/** How long a node is believed to be there, and to be away. */
const liveMs = 15_000
const awayMs = 5_000

/** Probes at once, to all nodes together. */
const maximumProbes = 32

/** Remembered results; the oldest is forgotten. */
const maximumResults = 4_096

type Result = { readonly live: Promise<boolean>; untilMs: number; isAway: boolean }

/**
 * @param fetch guarded: endpoints are whatever operators have registered
 * @param now ms
 * @param random from 0 to 1
 */
export function createLiveHolders({
  fetch,
  now,
  random,
}: {
  fetch: GuardedFetch
  now: () => number
  random: () => number
}): LiveHolders {
  const results = new Map<string, Result>()
  const limit = pLimit(maximumProbes)

  function isLive(manifest: string, endpoint: string): Promise<boolean> {
    const url = urlOf(manifest, endpoint)
    const known = results.get(url)
    if (known !== undefined && known.untilMs > now()) return known.live
    const live = limit(() => probe(fetch, url))
    // Whoever asks meanwhile waits for the same probe.
    const result: Result = { live, untilMs: Number.POSITIVE_INFINITY, isAway: false }
    results.delete(url)
    results.set(url, result)
    for (const oldest of results.keys()) {
      if (results.size <= maximumResults) break
      results.delete(oldest)
    }
    return live.then((answers) => {
      result.untilMs = now() + (answers ? liveMs : awayMs)
      result.isAway = !answers
      return answers
    })
  }

  return {
    async find(manifest, holders) {
      const inRandomOrder = holders
        .map((holder) => ({ holder, order: random() }))
        .sort((left, right) => left.order - right.order)
        .map(({ holder }) => holder)
      return firstOf(inRandomOrder, (holder) => isLive(manifest, holder.endpoint))
    },
    notAway: (manifest, holders) =>
      holders.filter(({ endpoint }) => {
        const known = results.get(urlOf(manifest, endpoint))
        return known === undefined || !known.isAway || known.untilMs <= now()
      }),
  }
}

function urlOf(manifest: string, endpoint: string): string {
  return `${gatewayOf(endpoint)}/ipfs/${manifest}?format=raw`
}

/** Where a node's routes begin. */
export function gatewayOf(endpoint: string): string {
  return endpoint.replace(/\/+$/, '')
}

/** The manifest itself is asked for: a node that is up but has lost the track is no holder. */
async function probe(fetch: GuardedFetch, url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'HEAD', timeoutMs: probeTimeoutMs })
    return response.ok
  } catch (error) {
    if (error instanceof FetchFailed) return false
    throw error
  }
}

/** The first item, by order among those known, else by time, for which the test comes out true. */
function firstOf<Item>(
  items: readonly Item[],
  test: (item: Item) => Promise<boolean>,
): Promise<Item | undefined> {
  return new Promise((resolve, reject) => {
    Promise.all(
      items.map(async (item) => {
        if (await test(item)) resolve(item)
      }),
    ).then(() => resolve(undefined), reject)
  })
}
