import type { Sqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'
import { pinnedBlocks } from '../ipfs/index.ts'
import { createOwnDenylist, type OwnDenylist } from './own-denylist.ts'
import { createTakedownStore } from './takedown-store.ts'
import { createTakedowns, type TakedownOptions, type Takedowns } from './takedowns.ts'

/** The takedowns of a service, in its one database, and the list that it gives to others.
 * @throws when the directory of denylists cannot be read */
export async function openTakedowns(
  options: Omit<TakedownOptions, 'store' | 'pinned'> & {
    /** Opened with `takedownMigrations`. */
    database: Sqlite
    operator: Address
    /** ms since 1970. */
    now: () => number
  },
): Promise<{ takedowns: Takedowns; denylist: OwnDenylist }> {
  const { database, operator, now } = options
  const store = createTakedownStore(database)
  const takedowns = await createTakedowns({ ...options, store, pinned: pinnedBlocks(database) })
  return { takedowns, denylist: createOwnDenylist({ operator, takedowns, store, now }) }
}
