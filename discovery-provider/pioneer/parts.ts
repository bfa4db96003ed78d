import type { Postgres } from '@hexachord/platform/postgres'
import type { LiveHolders } from '../reading/live-holders.ts'
import type { ReadTyped } from '../reading/typed-text.ts'
import type { Entities } from './entities.ts'

/** What the routes are made of. */
export type PioneerParts = {
  readonly postgres: Postgres
  readonly readTyped: ReadTyped
  readonly liveHolders: LiveHolders
  readonly entities: Entities
  /** Origin under which others reach the provider. */
  readonly publicUrl: string
  /** ms */
  readonly now: () => number
}
