import { FetchBlocked, FetchFailed } from '@hexachord/platform/http'
import { checked } from '@hexachord/protocol/checked'
import { type BlockList, blockListSchema } from '@hexachord/protocol/offers'
import type { NodeClient } from '@hexachord/storage/peers'
import { PullRefused } from './pull-refused.ts'

/** The list cannot be had just now. */
export class ListUnavailable extends Error {
  override readonly name = 'ListUnavailable'
}

/** A thousand entries take a fifth of it. */
const listBytes = 512 * 1024
/** Beyond the long poll itself. */
const answerMs = 15_000

/**
 * One look at an offer's growing block list.
 * @param options.source URL of the list
 * @param options.after cursor that the last look ended with
 * @param options.waitMs how long the other side may wait for something new
 * @throws ListUnavailable when trying again may help, PullRefused when it will not
 */
export async function readBlockList(options: {
  client: NodeClient
  source: string
  after: string
  waitMs: number
  signal: AbortSignal
}): Promise<BlockList> {
  const { client, after, waitMs, signal } = options
  const url = new URL(options.source)
  url.searchParams.set('after', after)
  url.searchParams.set('wait', String(waitMs))
  try {
    const response = await client(url.origin, url.pathname + url.search, {
      signal,
      timeoutMs: waitMs + answerMs,
      maxBytes: listBytes,
    })
    const text = await response.text()
    if (response.status === 200) return parseList(text, after)
    const answer = `${url.origin} answered ${response.status} for its block list: ${text.slice(0, 200)}`
    throw response.status === 404 || response.status === 410
      ? new PullRefused(answer)
      : new ListUnavailable(answer)
  } catch (cause) {
    if (cause instanceof FetchBlocked) throw new PullRefused(cause.message, { cause })
    if (cause instanceof FetchFailed) throw new ListUnavailable(cause.message, { cause })
    throw cause
  }
}

function parseList(text: string, after: string): BlockList {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new PullRefused('the block list is not JSON', { cause })
  }
  const { success, data, error } = checked(blockListSchema, json)
  if (!success) {
    const issue = error.issues[0]
    throw new PullRefused(`the block list is malformed: ${issue?.path.join('.')} ${issue?.message}`)
  }
  if (data.items.length > 0 && data.next === after) {
    throw new PullRefused('the block list names blocks but does not move its cursor')
  }
  return data
}
