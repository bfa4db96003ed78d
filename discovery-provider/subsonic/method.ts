import type { Postgres } from '@hexachord/platform/postgres'
import type { Login } from '../app-passwords/index.ts'
import type { PlayerWrites } from '../player-writes/index.ts'
import type { PlayCounter } from '../plays/index.ts'
import type { LiveHolders } from '../reading/live-holders.ts'
import type { ReadTyped } from '../reading/typed-text.ts'
import type { Fields } from './answer.ts'
import type { Parameters } from './parameters.ts'
import type { Shelf } from './shelf.ts'

/** What methods work with. */
export type SubsonicParts = {
  readonly postgres: Postgres
  readonly readTyped: ReadTyped
  readonly shelf: Shelf
  readonly liveHolders: LiveHolders
  readonly plays: PlayCounter
  /** Undefined where the provider signs nothing. */
  readonly writes: PlayerWrites | undefined
  /** ms since 1970 */
  readonly now: () => number
}

/** One request to a method. */
export type Asked = {
  readonly parameters: Parameters
  readonly login: Login
  /** As limits count clients. */
  readonly client: string
}

/** Fields of the answer, or where it is. */
export type Answer = Fields | { readonly location: URL }

/** Methods of the protocol by name. */
export type Methods = Readonly<Record<string, (asked: Asked) => Answer | Promise<Answer>>>
