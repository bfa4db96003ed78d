import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import pRetry, { AbortError } from 'p-retry'
import { ApiError, type Connection, readJson, readProblem } from '../connect/index.ts'

/** States after which nothing more will come. */
const finalStates: readonly UploadAnswer['state'][] = ['ready', 'failed', 'cancelled']
/** The node sends a heartbeat more often than this. */
const silenceMs = 45_000

/** Follows an upload by server-sent events until it is ready or has failed. A lost connection is taken up
 * again where it broke; a node that restarts is waited for.
 * @param url of the upload at its node
 * @param patienceMs how long the node may be away; default two minutes
 * @returns the last state */
export async function followUpload(
  connection: Connection,
  url: string,
  {
    signal,
    onChange,
    patienceMs = 120_000,
  }: { signal?: AbortSignal; onChange?: (upload: UploadAnswer) => void; patienceMs?: number } = {},
): Promise<UploadAnswer> {
  let version = -1
  let heardAt = connection.now()
  const take = (upload: UploadAnswer): boolean => {
    heardAt = connection.now()
    if (upload.version > version) {
      version = upload.version
      onChange?.(upload)
    }
    return finalStates.includes(upload.state)
  }
  const attempt = async (): Promise<UploadAnswer> => {
    try {
      for await (const upload of events(connection, url, version, signal)) if (take(upload)) return upload
      // A stream may end before its last event was sent, such as when the node stops.
      const upload = await readJson(connection.http, url, uploadAnswerSchema, signal ? { signal } : {})
      if (take(upload)) return upload
      throw new Error('the event stream ended early')
    } catch (error) {
      if (signal?.aborted || error instanceof AbortError) throw error
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw new AbortError(error)
      if (connection.now() - heardAt > patienceMs) {
        throw new AbortError(new ApiError(`${url}: the node is away`, { status: 0, url, cause: error }))
      }
      throw error
    }
  }
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 300,
    maxTimeout: 5000,
    ...(signal ? { signal } : {}),
  })
}

async function* events(
  connection: Connection,
  url: string,
  version: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<UploadAnswer> {
  const silence = new AbortController()
  const watchdog = setTimeout(() => silence.abort(new Error('the node fell silent')), silenceMs)
  try {
    const response = await connection.http(`${url}/events`, {
      headers: {
        accept: 'text/event-stream',
        ...(version >= 0 ? { 'last-event-id': String(version) } : {}),
      },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    })
    if (!response.ok || response.body === null) throw await readProblem(response, url)
    const stream = response.body
      .pipeThrough(
        new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform(chunk, controller) {
            watchdog.refresh()
            controller.enqueue(chunk)
          },
        }),
      )
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: 1 << 20 }))
    for await (const event of stream) {
      if (event.event === 'upload') yield uploadAnswerSchema.parse(JSON.parse(event.data))
    }
  } finally {
    clearTimeout(watchdog)
  }
}
