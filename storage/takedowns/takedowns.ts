import { Problem } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull, whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { NoticeContent } from '@hexachord/protocol/actions'
import { CidError, isCid, parseCid } from '@hexachord/protocol/cids'
import { blocksOf, ManifestError } from '@hexachord/protocol/manifests'
import { type Address, authorOf, type Subject } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import type { IpfsNode, PinnedBlocks } from '../ipfs/index.ts'
import { IncompleteTrack, loadLocalTrack } from '../tracks/index.ts'
import { type DenyFileCounts, noDenyFiles, watchDenyFiles } from './deny-files.ts'
import type { TakedownStore } from './takedown-store.ts'

/** Why something is not served here: a notice on the chain that this operator honours, or a list of its own. */
export type Takedown =
  | {
      readonly track: Subject
      readonly notice: Subject
      readonly by: Address
      readonly ground: NoticeContent['ground']
    }
  | { readonly list: string }

/** What this operator does not hold and serve, by its own choice of whose notices it honours. */
export type Takedowns = {
  /** Why a track is neither taken nor held here; undefined when it may be.
   * @param manifest of one that is not published yet. @default the published one */
  trackDenied(track: Subject, manifest?: string): Takedown | undefined
  /** Whether a block is refused, whatever it is needed for. Costs little enough to be asked for every request. */
  isDenied(cid: string): boolean
  /** @throws Problem 410 `taken-down` when a block is refused */
  requireServed(cid: string): void
  /** Tracks that are denied by notices, with the notices, in no particular order. */
  denied(): Iterable<{ track: Subject; notices: readonly HonouredNotice[] }>
  /** Calls with tracks of which it may be otherwise now, or with nothing when it may be of any. @returns ends it */
  onChange(listener: (tracks: readonly Subject[] | undefined) => void): () => void
  counts(): TakedownCounts
  close(): Promise<void>
}

export type HonouredNotice = {
  readonly notice: Subject
  readonly by: Address
  readonly ground: NoticeContent['ground']
}

export type TakedownCounts = DenyFileCounts & {
  /** Honoured notices, and the tracks that they are about. */
  readonly notices: number
  readonly tracks: number
}

export type TakedownOptions = {
  catalogue: Pick<Catalogue, 'subject' | 'subjectsOf' | 'onChange'>
  store: TakedownStore
  pinned: PinnedBlocks
  ipfs: Pick<IpfsNode, 'get'>
  /** Whose notices are honoured. */
  honoured: readonly Address[]
  /** Where denylists lie. @default nowhere */
  directory?: string | undefined
  /** Manifests that this node knows of a track, beside the one on the chain: earlier and unpublished ones. */
  manifestsOf: (track: Subject) => Iterable<string>
  /** Tracks that a manifest is kept for here. */
  tracksOf: (manifest: string) => Iterable<Subject>
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Between two looks at the directory, in ms. @default 5 s */
  filesEveryMs?: number | undefined
}

/** Answers that are remembered: the blocks of some hundred tracks. */
const answersKept = 65_536
/** What is pinned meanwhile for a track that is not denied counts after this. */
const answerMs = 2_000

/**
 * A notice denies all blocks of its track but those that another track here, which is not denied, has too: to take a
 * track down must not break another one which has the same second of silence. A denylist denies just what it names.
 * @throws when `directory` cannot be read
 */
export async function createTakedowns(options: TakedownOptions): Promise<Takedowns> {
  const { catalogue, store, pinned, logger } = options
  const honoured = new Set(options.honoured)
  /** By notice, and by the track that they are about. */
  const notices = new Map<Subject, HonouredNotice & { track: Subject }>()
  const tracks = new Map<Subject, Map<Subject, HonouredNotice>>()
  const answers = new LRUCache<string, boolean>({ max: answersKept, ttl: answerMs, ttlResolution: 100 })
  const listeners = new Set<(tracks: readonly Subject[] | undefined) => void>()
  const closing = new AbortController()
  const waiting = { what: 'the takedowns', signal: closing.signal, logger }
  /** Looks at tracks that are here and not pinned; one after the other. */
  let looking = Promise.resolve()
  let files = noDenyFiles
  let isIdle = true

  function changed(subjects: readonly Subject[] | undefined): void {
    answers.clear()
    isIdle = store.isEmpty() && files.counts().rules === 0
    for (const listener of listeners) listener(subjects)
  }

  /** Takes over what the catalogue says of a notice. @returns tracks for which that is news */
  function readNotice(subject: Subject, state = catalogue.subject(subject)): Subject[] {
    const before = notices.get(subject)
    const after = honouredNotice(subject, state)
    if (before !== undefined) {
      notices.delete(subject)
      const others = tracks.get(before.track)
      others?.delete(subject)
      if (others?.size === 0) tracks.delete(before.track)
    }
    if (after !== undefined) {
      notices.set(subject, after)
      const { track, ...notice } = after
      const all = tracks.get(track) ?? new Map<Subject, HonouredNotice>()
      tracks.set(track, all.set(subject, notice))
    }
    return [before?.track, after?.track].filter((track) => track !== undefined)
  }

  /** Notes which blocks a denied track has, or forgets them when it is denied no more. */
  function look(track: Subject): void {
    if (!tracks.has(track)) {
      store.remove(track)
      return
    }
    const current = liveTrack(track, catalogue.subject(track))?.manifest
    const known = new Map(store.rootsOf(track).map(({ manifest, complete }) => [manifest, complete]))
    const manifests = new Set([...(current ? [current] : []), ...options.manifestsOf(track), ...known.keys()])
    for (const manifest of manifests) {
      if (known.get(manifest)) continue
      const digests = pinned.digestsOf(manifest)
      const complete = digests.length > 0
      store.note({ track, manifest, complete }, digests)
      if (!complete) enqueue(() => readBlocks(track, manifest))
    }
  }

  /** What the disk has no room to note is noted once there is some: until then the track is denied, but not its blocks. */
  function lookInTime(track: Subject): void {
    try {
      look(track)
    } catch (error) {
      if (!isDatabaseFull(error)) throw error
      enqueue(async () => {
        await whenThereIsRoom(() => look(track), waiting)
        changed([track])
      })
    }
  }

  /** Does something after what was enqueued before; what is not done before this closes, the next start does. */
  function enqueue(work: () => Promise<void>): void {
    looking = looking.then(work).catch((error: unknown) => {
      if (!closing.signal.aborted) throw error
    })
  }

  /** For a track that is here, as a whole or in part, and not pinned. */
  async function readBlocks(track: Subject, manifest: string): Promise<void> {
    if (closing.signal.aborted || !tracks.has(track)) return
    try {
      const blocks = blocksOf(await loadLocalTrack(options.ipfs, manifest))
      const digests = blocks.map(({ cid }) => parseCid(cid).digest)
      await whenThereIsRoom(() => {
        if (tracks.has(track)) store.note({ track, manifest, complete: true }, digests)
      }, waiting)
      changed([track])
    } catch (err) {
      const isElsewhere = err instanceof IncompleteTrack
      if (isElsewhere || err instanceof ManifestError || err instanceof CidError) return
      if (!closing.signal.aborted) {
        logger.warn({ err, track, manifest }, 'blocks of a denied track cannot be read')
      }
    }
  }

  function honouredNotice(subject: Subject, state: ReturnType<Catalogue['subject']>) {
    if (!honoured.has(authorOf(subject))) return undefined
    if (state === undefined || state.kind !== 'notice' || state.deleted) return undefined
    // Only the rule of notices writes this body, from content that it has checked.
    const { track, ground } = state.body as unknown as Pick<NoticeContent, 'track' | 'ground'>
    return { track, notice: subject, by: authorOf(subject), ground }
  }

  function byNotice(track: Subject): Takedown | undefined {
    for (const notice of tracks.get(track)?.values() ?? []) return { track, ...notice }
    return undefined
  }

  function trackDenied(track: Subject, unpublished?: string): Takedown | undefined {
    const notice = byNotice(track)
    if (notice !== undefined || files === noDenyFiles) return notice
    const manifest = unpublished ?? liveTrack(track, catalogue.subject(track))?.manifest
    const list = manifest === undefined ? undefined : files.refusing(manifest)
    return list === undefined ? undefined : { list }
  }

  /** Whether a root that is pinned keeps its blocks served. */
  function keeps(root: string): boolean {
    // What is itself part of a denied track keeps its blocks only where it is a manifest of another one, too.
    if (!store.isNoted(root)) return true
    for (const track of options.tracksOf(root)) if (trackDenied(track) === undefined) return true
    return false
  }

  function isDenied(cid: string): boolean {
    if (isIdle) return false
    const known = answers.get(cid)
    if (known !== undefined) return known
    const answer = files.refusing(cid) !== undefined || isDeniedByNotice(cid)
    answers.set(cid, answer)
    return answer
  }

  function isDeniedByNotice(cid: string): boolean {
    if (!isCid(cid) || !store.isNoted(cid)) return false
    for (const root of pinned.rootsNaming(cid)) if (keeps(root)) return false
    return true
  }

  function reasonFor(cid: string): Takedown | undefined {
    const list = files.refusing(cid)
    if (list !== undefined) return { list }
    for (const track of isCid(cid) ? store.tracksWith(cid) : []) {
      const notice = byNotice(track)
      if (notice !== undefined) return notice
    }
    return undefined
  }

  for (const author of honoured) {
    for (const { subject, state } of catalogue.subjectsOf(author)) readNotice(subject, state)
  }
  for (const track of new Set([...store.tracks(), ...tracks.keys()])) look(track)
  const unsubscribe = catalogue.onChange(({ subjects }) => {
    const news = new Set(subjects.filter((subject) => tracks.has(subject)))
    for (const subject of subjects) for (const track of readNotice(subject)) news.add(track)
    if (news.size === 0) return
    for (const track of news) lookInTime(track)
    changed([...news])
  })
  if (options.directory !== undefined) {
    const { directory, filesEveryMs: everyMs } = options
    files = await watchDenyFiles({ directory, everyMs, logger, onChange: () => changed(undefined) })
  }
  changed(undefined)

  return {
    trackDenied,
    isDenied,
    requireServed(cid) {
      if (isDenied(cid)) throw takenDown(`block ${cid}`, reasonFor(cid))
    },
    *denied() {
      for (const [track, all] of tracks) yield { track, notices: [...all.values()] }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    counts: () => ({ notices: notices.size, tracks: tracks.size, ...files.counts() }),
    async close() {
      unsubscribe()
      closing.abort()
      await files.close()
      await looking
    },
  }
}

/** For people and in members; what a notice states is for its readers on the chain, not for ours. */
export function takenDown(what: string, reason: Takedown | undefined): Problem {
  return new Problem({
    status: 410,
    slug: 'taken-down',
    title: 'Taken down',
    detail: `${what} is not served by this operator: ${explain(reason)}. Others may have it`,
    members: { ...reason },
  })
}

/** Why, as a part of a sentence. */
export function explain(reason: Takedown | undefined): string {
  if (reason === undefined) return 'it was taken down'
  if ('list' in reason) return `it is on its denylist ${reason.list}`
  return `it honours notice ${reason.notice} about ${reason.track} by ${reason.by} (${reason.ground})`
}
