import type { Address, Hash } from '@hexachord/protocol/names'
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
  readonly whose: 'channel' | 'node'
  constructor(whose: 'channel' | 'node', message: string) {
    super(message)
    this.whose = whose
  }
}

export type SessionLimits = {
  /** Of all listeners together; one takes about 2 kB, and what was heard in it. @default 50,000 */
  readonly sessions: number
  /** Of one key for one payer: others may open sessions in a payer's name, too. @default 100 */
  readonly sessionsOfChannel: number
}

export const defaultSessionLimits: SessionLimits = { sessions: 50_000, sessionsOfChannel: 100 }

/** Sessions that live, in the order in which they were opened, which is that in which they end. */
export type Sessions = {
  byToken(token: string): Session | undefined
  /** @param key who has signed it: whoever signs the same with another key opens another session */
  byOpening(opening: Hash, key: Address): Session | undefined
  /** By the number in the book's records. */
  get(session: number): Session | undefined
  add(session: Session): void
  /** Makes room for one more of a key that signs for a payer. Where there is none the oldest that has paid nothing gives
   * way, so that whoever only knocks cannot shut out those who pay. @throws TooManySessions */
  makeRoom(channel: Pick<Channel, 'key' | 'sessions'> | undefined): void
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
  const openings = new Map<string, Session>()
  const unpaid = new Set<Session>()

  function remove(session: Session): void {
    all.delete(session.session)
    tokens.delete(session.token)
    openings.delete(session.opening + session.key)
    unpaid.delete(session)
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
    byOpening: (opening, key) => openings.get(opening + key),
    get: (session) => all.get(session),
    add(session) {
      all.set(session.session, session)
      tokens.set(session.token, session)
      openings.set(session.opening + session.key, session)
      unpaid.add(session)
      session.channel.sessions.add(session)
    },
    makeRoom(channel) {
      const own = channel?.sessions ?? new Set<Session>()
      if (own.size >= limits.sessionsOfChannel && !giveWay(own)) {
        const detail = `key ${channel?.key} has ${own.size} sessions here, and pays in all of them`
        throw new TooManySessions('channel', detail)
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
