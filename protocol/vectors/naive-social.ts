// What version 2 of the rules added, once more in the plainest way. Nothing is taken from the code that judges actions.

export type State = Map<string, unknown>
export type NaiveAction = {
  hash: string
  author: string
  signer: string
  subject: string
  number: bigint
  kind: number
}
export type NaivePlace = { atMs: number; block: number; logIndex: number }
export type Entity = { kind: string; digest: string; createdAtMs: number; deleted: boolean; body: SocialBody }
type SocialBody = {
  track?: string | undefined
  replyTo?: string | undefined
  root?: string | undefined
  sealed?: unknown
  stemOf?: Origin | undefined
  remixOf?: Origin[] | undefined
}
type Origin = { track: string }
/** All that the content of an action may say which a rule looks at. */
export type SocialContent = SocialBody & {
  atMs?: number
  user?: string
  target?: string
  on?: boolean
  comment?: string | null
  reaction?: string | null
  key?: string
  scopes?: string[]
  expiresAtMs?: number
  app?: string
}
type Delegation = { scopes: string[]; expiresAtMs: number; controller: string; setAtMs: number }
export type Changes = { key: string; value: unknown }[]

const names = new Map([
  [2, 'track'],
  [3, 'playlist'],
  [5, 'delete'],
  [7, 'follow'],
  [8, 'save'],
  [9, 'repost'],
  [10, 'comment'],
  [11, 'react'],
  [12, 'pin'],
  [13, 'mute'],
])
const dayMs = 86_400_000

export function living(state: State, subject: string | undefined | null, kind: string): Entity | undefined {
  const entity = state.get(`subject/${subject}`) as Entity | undefined | null
  return entity && !entity.deleted && entity.kind === kind ? entity : undefined
}

/** @param sinceMs of the identity in force */
export function mayDelegate(
  state: State,
  { author, signer, kind, subject }: NaiveAction,
  atMs: number,
  identity: { controller: string; sinceMs: number },
): boolean {
  const found = state.get(`delegate/${author}/${signer}`) as Delegation | undefined
  if (signer === author || found === undefined || found.expiresAtMs <= atMs) return false
  if (found.controller !== identity.controller || found.setAtMs < identity.sinceMs) return false
  if (!found.scopes.includes(names.get(kind) ?? 'none')) return false
  const before = state.get(`subject/${subject}`) as Entity | undefined
  return kind !== 5 || before === undefined || found.scopes.includes(before.kind)
}

/** Kinds that are ordered by the author's clock. */
export function isRegister(kind: number): boolean {
  return [7, 8, 9, 11, 12, 13, 15].includes(kind)
}

export function judgeRegister(
  state: State,
  action: NaiveAction,
  content: SocialContent,
  place: NaivePlace,
): string | Changes {
  const { author, subject, kind, number } = action
  const about = content.user ?? content.target ?? content.comment ?? content.key
  const space = ['follow', 'save', 'repost', '', 'react', 'pin', 'mute', '', 'delegate'][kind - 7]
  const key = kind === 12 ? `pin/${subject}` : `${space}/${author}/${about}`
  const known = state.get(key) as { atMs: number; on?: boolean; sinceMs?: number } | undefined
  const { atMs = 0, on, comment, reaction, scopes = [], expiresAtMs = 0, app } = content
  if (atMs > place.atMs + 3_600_000) return 'ahead'
  if (known !== undefined && atMs <= known.atMs) return 'outdated'
  if (kind !== 12 && number !== 0n) return 'wrongSubject'

  const register = (value: object): Changes => {
    const { block, logIndex } = place
    return [{ key, value: { ...value, atMs, digest: action.hash, setAtMs: place.atMs, block, logIndex } }]
  }
  const edge = () => register({ on, sinceMs: known?.on === on ? known?.sinceMs : place.atMs })

  if (kind === 7 || kind === 13) return about === author ? 'wrongSubject' : edge()
  if (kind === 8 || kind === 9) {
    if (!on) return edge()
    const target = state.get(`subject/${about}`) as Entity | undefined
    if (!['track', 'playlist'].includes(target?.kind ?? '')) return 'notFound'
    if (target?.deleted) return 'deleted'
    return target?.body.sealed === undefined ? edge() : 'wrongSubject'
  }
  if (kind === 11) {
    return reaction !== null && !living(state, comment, 'comment') ? 'notFound' : register({ reaction })
  }
  if (kind === 12) {
    if (!living(state, subject, 'track')) return 'notFound'
    const pinned = living(state, comment, 'comment')
    const fits = pinned?.body.track === subject && pinned.body.root === undefined
    return comment === null || fits ? register({ comment }) : 'notFound'
  }
  if (about === author) return 'wrongSubject'
  if (expiresAtMs > place.atMs + 366 * dayMs) return 'malformed'
  if (app !== undefined && scopes.length > 0 && !living(state, app, 'app')) return 'notFound'
  return register({ scopes, expiresAtMs, app: app ?? null, controller: action.signer })
}

/** @returns what the comment's state says, or why there is none */
export function judgeComment(
  state: State,
  { author }: NaiveAction,
  content: SocialContent,
  before: Entity | undefined,
): string | SocialBody {
  const { track = '', replyTo } = content
  if (!living(state, track, 'track')) return 'notFound'
  const mute = state.get(`mute/${track.slice(0, 42)}/${author}`) as { on: boolean } | undefined
  if (mute?.on) return 'muted'
  if (before) {
    const same = before.body.track === track && before.body.replyTo === replyTo
    return same ? { ...content, root: before.body.root } : 'wrongSubject'
  }
  if (replyTo === undefined) return content
  const answered = living(state, replyTo, 'comment')
  if (answered?.body.track !== track) return 'notFound'
  return { ...content, root: answered.body.root ?? replyTo }
}

/** What is wrong with the tracks of which a track says that it is made. */
export function refusalOfOrigins(
  state: State,
  { author, subject }: NaiveAction,
  { remixOf = [], stemOf }: SocialContent,
  before: Entity | undefined,
): string | undefined {
  const all = (body: SocialBody) => [...(body.remixOf ?? []), ...(body.stemOf ? [body.stemOf] : [])]
  const known = all(before?.body ?? {}).map(({ track }) => track)
  for (const { track } of all({ remixOf, stemOf })) {
    if (track === subject) return 'wrongSubject'
    if (!known.includes(track) && !living(state, track, 'track')) return 'notFound'
  }
  if (stemOf === undefined || known.includes(stemOf.track)) return undefined
  if (!stemOf.track.startsWith(author)) return 'wrongSubject'
  return living(state, stemOf.track, 'track')?.body.stemOf === undefined ? undefined : 'wrongSubject'
}
