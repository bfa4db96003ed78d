import type { Address, Subject } from '@hexachord/protocol/names'
import {
  type App,
  appSchema,
  type Comment,
  commentSchema,
  type DelegationAnswer,
  delegationSchema,
  type FeedEntry,
  type Follow,
  feedEntrySchema,
  followSchema,
  type List,
  listOf,
  type Mark,
  markSchema,
} from '@hexachord/protocol/rest'
import type * as z from 'zod'
import type { Connection } from '../connect/index.ts'

export type ListOptions = {
  /** `next` of the page before. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What those whom a user follows have published and reposted, newest first. @throws ApiError; so do all in this file */
export function feedOf(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<FeedEntry>> {
  return readList(connection, `users/${user}/feed`, feedEntrySchema, options)
}

export function followersOf(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<Follow>> {
  return readList(connection, `users/${user}/followers`, followSchema, options)
}

export function followedBy(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<Follow>> {
  return readList(connection, `users/${user}/following`, followSchema, options)
}

export function savesOf(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<Mark>> {
  return readList(connection, `users/${user}/saves`, markSchema, options)
}

export function repostsOf(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<Mark>> {
  return readList(connection, `users/${user}/reposts`, markSchema, options)
}

/** First comments of threads: the pinned one, then newest first. */
export function commentsOn(
  connection: Connection,
  track: Subject,
  options: ListOptions = {},
): Promise<List<Comment>> {
  return readList(connection, `tracks/${track}/comments`, commentSchema, options)
}

/** Answers in the thread that a comment begins, oldest first. */
export function repliesTo(
  connection: Connection,
  comment: Subject,
  options: ListOptions = {},
): Promise<List<Comment>> {
  return readList(connection, `comments/${comment}/replies`, commentSchema, options)
}

/** Apps that a user has made known, newest first. */
export function appsOf(connection: Connection, user: Address, options: ListOptions = {}): Promise<List<App>> {
  return readList(connection, `users/${user}/apps`, appSchema, options)
}

/** Keys that may sign for a user, and whether they still do. */
export function delegationsOf(
  connection: Connection,
  user: Address,
  options: ListOptions = {},
): Promise<List<DelegationAnswer>> {
  return readList(connection, `users/${user}/delegations`, delegationSchema, options)
}

function readList<Item>(
  connection: Connection,
  path: string,
  item: z.ZodType<Item>,
  { cursor, limit, signal }: ListOptions,
): Promise<List<Item>> {
  const query = new URLSearchParams()
  if (cursor !== undefined) query.set('cursor', cursor)
  if (limit !== undefined) query.set('limit', String(limit))
  const asked = query.size === 0 ? '' : `?${query}`
  return connection.discover(`/v1/${path}${asked}`, listOf(item), signal ? { signal } : {})
}
