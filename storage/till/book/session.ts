import type { Hash } from '@hexachord/protocol/names'
import type { Channel } from './channel.ts'
import type { SessionFacts } from './records.ts'

/** Somebody who hears a track; see `Opening` in `protocol/signing`. */
export type Session = SessionFacts & {
  readonly track: Hash
  readonly channel: Channel
  /** By unit that was charged here, how often it was fetched; by halves, where segments are half a unit. */
  readonly fetches: Map<number, number>
}

/** There is no room for another session; `whose` says who has too many. */
export class TooManySessions extends Error {
  override readonly name = 'TooManySessions'
  readonly whose: 'payer' | 'node'
  constructor(whose: 'payer' | 'node', message: string) {
    super(message)
    this.whose = whose
  }
}

export type SessionLimits = {
  /** Of all listeners together; one takes about 2 kB, and what was heard in it. @default 50,000 */
  readonly sessions: number
  /** Of one payer, by whatever keys. @default 100 */
  readonly sessionsOfPayer: number
}

export const defaultSessionLimits: SessionLimits = { sessions: 50_000, sessionsOfPayer: 100 }

/** Sessions that live, in the order in which they were opened, which is that in which they end. */
export type Sessions = {
  byToken(token: string): Session | undefined
  byOpening(opening: Hash): Session | undefined
  /** By the number in the book's records. */
  get(session: number): Session | undefined
  add(session: Session): void
  /** Makes room for one more of a payer. Where there is none the oldest that has paid nothing gives way, so that whoever
   * only knocks cannot shut out those who pay. @throws TooManySessions */
  makeRoom(payer: string): void
  /** Tells that something was paid in a session. */
  paid(session: Session): void
  /** Removes those that have ended. */
  sweep(now: number): void
  remove(session: Session): void
  all(): Iterable<Session>
  readonly size: number
}

/** @param onEnd called with each session that is removed */
export function createSessions(limits: SessionLimits, onEnd: (session: Session) => void): Sessions {
  const all = new Map<number, Session>()
  const tokens = new Map<string, Session>()
  const openings = new Map<Hash, Session>()
  const unpaid = new Set<Session>()
  const byPayer = new Map<string, Set<Session>>()

  function remove(session: Session): void {
    all.delete(session.session)
    tokens.delete(session.token)
    openings.delete(session.opening)
    unpaid.delete(session)
    const others = byPayer.get(session.payer)
    others?.delete(session)
    if (others?.size === 0) byPayer.delete(session.payer)
    session.channel.sessions.delete(session)
    onEnd(session)
  }

  function giveWay(candidates: Iterable<Session>): boolean {
    for (const session of candidates) {
      if (!unpaid.has(session)) continue
      remove(session)
      return true
    }
    return false
  }

  return {
    byToken: (token) => tokens.get(token),
    byOpening: (opening) => openings.get(opening),
    get: (session) => all.get(session),
    add(session) {
      all.set(session.session, session)
      tokens.set(session.token, session)
      openings.set(session.opening, session)
      unpaid.add(session)
      const others = byPayer.get(session.payer) ?? new Set<Session>()
      byPayer.set(session.payer, others.add(session))
      session.channel.sessions.add(session)
    },
    makeRoom(payer) {
      const own = byPayer.get(payer) ?? new Set<Session>()
      if (own.size >= limits.sessionsOfPayer && !giveWay(own)) {
        throw new TooManySessions('payer', `the payer has ${own.size} sessions here, and pays in all of them`)
      }
      if (all.size >= limits.sessions && !giveWay(unpaid)) {
        throw new TooManySessions('node', `this node has ${all.size} sessions, and is paid in all of them`)
      }
    },
    paid: (session) => unpaid.delete(session),
    remove,
    sweep(now) {
      for (const session of all.values()) {
        if (session.expiresAt > now) return
        remove(session)
      }
    },
    all: () => all.values(),
    get size() {
      return all.size
    },
  }
}
