import type { GuardedFetch } from '@hexachord/platform/http'

/** Somebody else's server, as those who ask it see it: it answers everything with one text. */
export function answering(text: string): { fetch: GuardedFetch; signal: AbortSignal } {
  const fetch = Object.assign(async () => new Response(text), { close: async () => {} })
  return { fetch, signal: new AbortController().signal }
}
