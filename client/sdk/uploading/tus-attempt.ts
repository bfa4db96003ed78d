import { DetailedError, Upload } from 'tus-js-client'
import { type ApiError, noAnswer, problemError, reasonOf } from '../connect/index.ts'

/** One request carries this much: small enough to lose little on a bad connection. */
const chunkBytes = 4 << 20
/** A connection on which nothing moves for so long is dead. */
const stallMs = 60_000

export type TusAttemptOptions = {
  /** Of an upload that exists. */
  readonly url: string
  readonly signal: AbortSignal | undefined
  /** Value of the header, asked for before each request. */
  readonly authorization: () => Promise<string>
  readonly onProgress: (sentBytes: number) => void
  /** The node says that it has so many bytes. */
  readonly onAcknowledged: (bytes: number) => void
}

/** Sends what a node lacks of a file, and ends at the first error: when to try again is not known here.
 * @throws ApiError for anything about the node; the signal's reason; what the given functions and reading throw */
export function tusAttempt(content: Blob, options: TusAttemptOptions): Promise<void> {
  const { signal, url } = options
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let isOver = false
  let stalled: ReturnType<typeof setTimeout> | undefined
  const stop = (error: unknown) => {
    if (isOver) return
    end()
    // The promise of tus is of no use: it may resolve while the request still runs.
    upload.abort().then(() => reject(error), reject)
  }
  const moved = () => {
    clearTimeout(stalled)
    if (!isOver)
      stalled = setTimeout(() => stop(noAnswer(url, `nothing moved for ${stallMs / 1000} s`)), stallMs)
  }
  const abort = () => stop(signal?.reason)
  const end = () => {
    isOver = true
    clearTimeout(stalled)
    signal?.removeEventListener('abort', abort)
  }
  /** Errors of our own functions end the attempt as they are: tus would blame the node. */
  const ours = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run()
    } catch (error) {
      stop(error)
      throw error
    }
  }
  const upload: Upload = new Upload(content, {
    // Without an endpoint: tus would begin anew at any refusal, such as that of a node that restarts.
    uploadUrl: url,
    uploadSize: content.size,
    chunkSize: chunkBytes,
    retryDelays: null,
    storeFingerprintForResuming: false,
    fingerprint: async () => '',
    fileReader: { openFile: async () => slicesOf(content, ours) },
    onBeforeRequest: async (request) => {
      request.setHeader('Authorization', await ours(options.authorization))
      if (isOver) throw new Error('the upload was stopped')
    },
    onAfterResponse: (_request, response) => {
      moved()
      const offset = Number(response.getHeader('Upload-Offset') ?? Number.NaN)
      if (Number.isSafeInteger(offset)) options.onAcknowledged(offset)
    },
    onProgress: (sentBytes) => {
      if (isOver) return
      moved()
      options.onProgress(sentBytes)
    },
    onSuccess: () => {
      end()
      resolve()
    },
    onError: (error) => {
      end()
      reject(errorOf(error, url))
    },
  })
  if (signal?.aborted) return Promise.reject(signal.reason)
  signal?.addEventListener('abort', abort, { once: true })
  moved()
  upload.start()
  return promise
}

/** tus has readers of its own, but none that reads a Blob in Node. */
function slicesOf(content: Blob, ours: <T>(run: () => Promise<T>) => Promise<T>) {
  return {
    size: content.size,
    slice: async (start: number, end: number) => {
      const buffer = await ours(() => content.slice(start, end).arrayBuffer())
      const value = Object.assign(new Uint8Array(buffer), { size: buffer.byteLength })
      return { value, done: end >= content.size }
    },
    close: () => undefined,
  }
}

function errorOf(error: Error | DetailedError, url: string): ApiError {
  const response = error instanceof DetailedError ? error.originalResponse : null
  if (response) {
    return problemError(response.getBody() || '', {
      url,
      status: response.getStatus(),
      retryAfter: response.getHeader('Retry-After'),
    })
  }
  const cause = error instanceof DetailedError ? (error.causingError ?? error) : error
  return noAnswer(url, reasonOf(cause), error)
}
