import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { cidFromDigest } from '@hexachord/protocol/cids'
import type { Address } from '@hexachord/protocol/names'
import { type DenylistPart, denylistLines } from './denylist.ts'
import type { TakedownStore } from './takedown-store.ts'
import type { Takedowns } from './takedowns.ts'

/** The list that other software can honour: the notices that this operator honours, and the blocks that they deny. */
export type OwnDenylist = () => Promise<{ text: string; etag: string }>

/** Of blocks; beyond that only manifests are named, so that a list stays below what readers take. */
const mostBlocks = 1_000_000
const pageSize = 500
/** What other tracks share with denied ones changes without a notice. */
const keptMs = 60_000

export function createOwnDenylist(options: {
  operator: Address
  takedowns: Pick<Takedowns, 'denied' | 'isDenied' | 'onChange'>
  store: Pick<TakedownStore, 'page' | 'rootsOf'>
  /** ms since 1970. */
  now: () => number
}): OwnDenylist {
  const { operator, takedowns, store, now } = options
  let kept: { madeAt: number; list: ReturnType<OwnDenylist> } | undefined
  takedowns.onChange(() => {
    kept = undefined
  })

  function* parts(): Generator<DenylistPart> {
    let left = mostBlocks
    const all = [...takedowns.denied()].sort((one, other) => (one.track < other.track ? -1 : 1))
    for (const { track, notices } of all) {
      for (const { notice, by, ground } of notices) {
        yield { comment: `track ${track}, notice ${notice} by ${by} (${ground})` }
      }
      if (left <= 0) {
        for (const { manifest } of store.rootsOf(track)) {
          if (takedowns.isDenied(manifest)) yield { cid: manifest, hidden: true }
        }
        continue
      }
      for (let after: Uint8Array = new Uint8Array(); ; ) {
        const page = store.page(track, after, pageSize)
        for (const digest of page) {
          const cid = cidFromDigest(digest, 'raw')
          if (takedowns.isDenied(cid)) yield { cid, hidden: true }
        }
        left -= page.length
        const last = page.at(-1)
        if (last === undefined || page.length < pageSize) break
        after = last
      }
    }
  }

  async function make(): ReturnType<OwnDenylist> {
    const header = {
      name: `Takedowns of ${operator}`,
      description:
        'Blocks of tracks that this operator of a Hexachord network does not serve, for each with the notice on the chain',
      hints: { gateway_status: 410 },
    }
    const lines: string[] = []
    for (const line of denylistLines(header, parts())) {
      lines.push(line)
      if (lines.length % pageSize === 0) await nextTurn()
    }
    const text = lines.join('')
    const hash = createHash('sha256').update(text).digest('base64url')
    return { text, etag: `"${hash.slice(0, 32)}"` }
  }

  return () => {
    if (kept === undefined || kept.madeAt + keptMs < now()) kept = { madeAt: now(), list: make() }
    return kept.list
  }
}
