import { actionHash, type KindName, kinds, reactions } from '@hexachord/protocol/actions'
import { encodeCanonicalJson, type Json } from '@hexachord/protocol/canonical'
import { type Address, type Hash, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'

/** An action before it is signed. */
export type Draft = {
  readonly digest: Hash
  readonly author: Address
  readonly nonce: bigint
  readonly kind: KindName
  readonly subject: Subject
  readonly content: Json
}

/** Of a hundred actions, once everybody has a profile: mostly marks, as in any network of this sort. */
const weights: readonly (readonly [KindName, number])[] = [
  ['save', 33],
  ['follow', 26],
  ['repost', 14],
  ['comment', 10],
  ['react', 10],
  ['playlist', 3],
  ['user', 2],
  ['track', 2],
]

const urn = weights.flatMap(([kind, weight]) => Array<KindName>(weight).fill(kind))

/** Tracks that there are before anything else is done to any. */
const firstTracks = 20

/**
 * What people do on a network of music, the same each time, for ever: every action is one that the rules accept.
 * @param options.firstMs by the clocks of the authors; the chain must not be more than an hour behind
 * @param options.receiptsOf receipts of a track that is published under this name, and what they are about
 */
export async function* writeScript(options: {
  readonly authors: readonly Address[]
  readonly firstMs: number
  readonly receiptsOf: (subject: Subject) => Promise<{ readonly [key: string]: Json }>
}): AsyncGenerator<Draft, never, undefined> {
  const { authors, firstMs, receiptsOf } = options
  const dice = createDice(1)
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[dice(items.length)]
    if (item === undefined) throw new RangeError('there is nothing to pick from')
    return item
  }
  /** Digests of the last action on what is ordered by them. */
  const written = new Map<Subject, Hash>()
  const named: Record<'track' | 'comment' | 'playlist', Subject[]> = { track: [], comment: [], playlist: [] }
  const tracksOfComments = new Map<Subject, Subject>()

  async function contentOf(kind: KindName, author: Address, atMs: number): Promise<[Subject, Json]> {
    const own = userSubject(author)
    const fresh = subjectOf(author, BigInt(written.size + 1))
    const prevOf = (subject: Subject) => written.get(subject) ?? null
    switch (kind) {
      case 'user':
        return [own, { prev: prevOf(own), handle: `u_${author.slice(2, 14)}`, name: `Author ${dice(1e6)}` }]
      case 'track':
        named.track.push(fresh)
        return [fresh, { prev: null, ...(await receiptsOf(fresh)), title: `Song ${dice(1e6)}` }]
      case 'playlist': {
        const known = named.playlist.filter((subject) => subject.startsWith(author))
        const subject = known.length > 0 && dice(3) > 0 ? pick(known) : fresh
        if (subject === fresh) named.playlist.push(fresh)
        const add = [{ track: pick(named.track) }]
        return [subject, { prev: prevOf(subject), title: `List ${dice(1e6)}`, add }]
      }
      case 'comment': {
        const replyTo = named.comment.length > 0 && dice(3) === 0 ? pick(named.comment) : undefined
        const track = (replyTo && tracksOfComments.get(replyTo)) ?? pick(named.track)
        // Of threads only the first is answered, so that peers need not know what a thread is.
        if (replyTo === undefined) named.comment.push(fresh)
        tracksOfComments.set(fresh, track)
        return [fresh, { prev: null, track, replyTo, text: `So beautiful, ${dice(1e6)} times` }]
      }
      case 'react':
        return [own, { comment: pick(named.comment), reaction: pick(reactions), atMs }]
      case 'follow': {
        const others = authors.filter((other) => other !== author)
        return [own, { user: pick(others), on: dice(10) > 0, atMs }]
      }
      default:
        return [own, { target: pick(named.track), on: dice(10) > 0, atMs }]
    }
  }

  function kindAt(index: number): KindName {
    if (index < authors.length) return 'user'
    if (named.track.length < firstTracks) return 'track'
    if (named.comment.length === 0) return 'comment'
    return pick(urn)
  }

  for (let index = 0; ; index++) {
    const author = authors[index] ?? pick(authors)
    const kind = kindAt(index)
    const [subject, content] = await contentOf(kind, author, firstMs + index)
    const action = { author, nonce: BigInt(index), kind, subject, content }
    const number = kinds[kind].number
    const digest = actionHash({
      ...{ author, signer: author, nonce: action.nonce, kind: number, subject },
      content: encodeCanonicalJson(content),
    })
    if (Object.hasOwn(Object(content), 'prev')) written.set(subject, digest)
    yield { ...action, digest }
  }
}

/** Whole numbers from 0 to `below`, always the same (mulberry32). */
function createDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
