import type { Postgres } from '@hexachord/platform/postgres'
import type { Subject } from '@hexachord/protocol/names'
import { createAllowance } from '../app-passwords/index.ts'
import { countPlays } from './count-plays.ts'
import type { PlayNews } from './play-news.ts'

/** What one device can have heard, with a day without a network behind it; and what a household can. */
const perDevice = { burst: 200, refillMs: 20_000 }
const perClient = { burst: 600, refillMs: 5_000 }

/** Plays of one request; more than a device has are not counted anyway. */
const maximumPlays = 200

const dayMs = 86_400_000
/** A player tells late of what it has played without a network. */
const longestDelayMs = 14 * dayMs

/** By what limits count: the app password, and the client as `clientOf` has it. */
export type Device = { readonly passwordId: string; readonly client: string }

/** What a player tells of; `playedAtMs` by its own clock. */
export type Heard<What> = { readonly what: What; readonly playedAtMs: number | undefined }

/** Counts what players tell of, by whichever protocol. */
export type PlayCounter = {
  /** More than anybody can hear is taken, and not counted: players would only send it again.
   * @param find the tracks that are meant, in order; undefined for what is none */
  count<What>(
    device: Device,
    heard: readonly Heard<What>[],
    find: (whats: readonly What[]) => Promise<readonly (Subject | undefined)[]>,
  ): Promise<void>
}

/** @param news is told of what was counted
 * @param now ms since 1970 */
export function createPlayCounter(
  postgres: Postgres,
  news: Pick<PlayNews, 'tell'>,
  now: () => number,
): PlayCounter {
  const devices = createAllowance({ ...perDevice, now })
  const clients = createAllowance({ ...perClient, now })

  /** The day on which a play counts: that of its time, unless the player's clock is wrong. */
  function dayOf(playedAtMs = Number.NaN): string {
    const isLikely = playedAtMs > now() - longestDelayMs && playedAtMs <= now()
    return new Date(isLikely ? playedAtMs : now()).toISOString().slice(0, 10)
  }

  return {
    async count({ passwordId, client }, heard, find) {
      const taken = heard
        .slice(0, maximumPlays)
        .filter(() => devices.take(passwordId) && clients.take(client))
      const tracks = await find(taken.map(({ what }) => what))
      const plays = taken.flatMap(({ playedAtMs }, index) => {
        const track = tracks[index]
        return track === undefined ? [] : [{ track, day: dayOf(playedAtMs) }]
      })
      news.tell(await countPlays(postgres, plays, now()))
    },
  }
}
