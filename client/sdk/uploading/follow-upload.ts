import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import {
  ApiError,
  type Connection,
  defaultPatienceMs,
  noAnswer,
  parseAnswer,
  patiently,
  readJson,
  readProblem,
  reasonOf,
} from '../connect/index.ts'

/** States after which nothing more will come. */
const finalStates: readonly UploadAnswer['state'][] = ['ready', 'failed', 'cancelled']
/** The node sends a heartbeat three times as often. */
const silenceMs = 45_000
/** Far more than one state of an upload takes. */
const maximumEventLength = 1 << 20

/** Follows an upload by server-sent events until it is ready or has failed. A lost connection is taken up
 * again where it broke; a node that restarts is waited for.
 * @param url of the upload at its node
 * @param patienceMs how long nothing may be heard of the node; default two minutes
 * @returns the last state
 * @throws ApiError when the node stays away or does not know the upload, and the signal's reason */
export async function followUpload(
  connection: Connection,
  url: string,
  {
    signal,
    onChange,
    patienceMs = defaultPatienceMs,
  }: { signal?: AbortSignal; onChange?: (upload: UploadAnswer) => void; patienceMs?: number } = {},
): Promise<UploadAnswer> {
  let version: number | undefined
  const isLast = (upload: UploadAnswer): boolean => {
    if (upload.version !== version) {
      version = upload.version
      onChange?.(upload)
    }
    return finalStates.includes(upload.state)
  }
  return patiently(
    async (moved) => {
      const current = await readJson(connection.http, url, uploadAnswerSchema, signal ? { signal } : {})
      moved()
      if (isLast(current)) return current
      for await (const upload of changes(connection, url, { after: current.version, signal, moved })) {
        if (isLast(upload)) return upload
      }
      throw noAnswer(url, 'the stream of events ended early')
    },
    { signal, patienceMs: () => patienceMs },
  )
}

/** States of an upload as its node tells of them, from the one after `after` on. @throws ApiError, the signal's reason */
export async function* changes(
  { http }: Pick<Connection, 'http'>,
  url: string,
  { after, signal, moved }: { after: number; signal: AbortSignal | undefined; moved: () => void },
): AsyncGenerator<UploadAnswer> {
  const end = new AbortController()
  let silence: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => end.abort(new Error(`nothing was heard for ${silenceMs / 1000} s`)), silenceMs)
  }
  heard()
  try {
    const response = await http(`${url}/events`, {
      headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
      signal: signal ? AbortSignal.any([signal, end.signal]) : end.signal,
    })
    if (!response.ok) throw await readProblem(response, url)
    for await (const event of messages(response)) {
      heard()
      moved()
      if (event?.event === 'upload') yield parseAnswer(event.data, uploadAnswerSchema, url)
    }
  } catch (error) {
    if (signal?.aborted || error instanceof ApiError) throw error
    throw noAnswer(url, reasonOf(error), error)
  } finally {
    clearTimeout(silence)
    end.abort()
  }
}

/** Messages of a response, and undefined for other signs of life. By hand, since not every browser can iterate
 * over a stream. */
async function* messages(response: Response): AsyncGenerator<EventSourceMessage | undefined> {
  if (response.body === null) return
  const waiting: EventSourceMessage[] = []
  const parser = createParser({
    onEvent: (message) => waiting.push(message),
    maxBufferSize: maximumEventLength,
  })
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    parser.feed(decoder.decode(read.value, { stream: true }))
    yield undefined
    yield* waiting.splice(0)
  }
}
