import { type Connection, noAnswer, readProblem, reasonOf } from '../connect/index.ts'

const answerWithinMs = 30_000

export type CreatedUpload = {
  readonly url: string
  /** Whether the node needs no byte of it: it has had the same file before. */
  readonly complete: boolean
}

/** Begins an upload by tus 1.0.0 (extension creation); no byte of the file is sent yet.
 * @param node origin
 * @param metadata names and values of `Upload-Metadata`
 * @throws ApiError for a node that refuses or does not answer, and the signal's reason */
export async function createUpload(
  { http }: Pick<Connection, 'http'>,
  node: string,
  {
    authorization,
    byteLength,
    metadata,
    signal,
  }: {
    authorization: string
    byteLength: number
    metadata: Record<string, string>
    signal: AbortSignal | undefined
  },
): Promise<CreatedUpload> {
  const endpoint = `${node}/uploads`
  const timeout = AbortSignal.timeout(answerWithinMs)
  let response: Response
  try {
    response = await http(endpoint, {
      method: 'POST',
      headers: {
        authorization,
        'tus-resumable': '1.0.0',
        'upload-length': String(byteLength),
        'upload-metadata': Object.entries(metadata)
          .map(([name, value]) => `${name} ${base64Of(value)}`)
          .join(','),
      },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    throw noAnswer(endpoint, reasonOf(cause), cause)
  }
  if (!response.ok) throw await readProblem(response, endpoint)
  await response.body?.cancel()
  const url = URL.parse(response.headers.get('location') ?? '', endpoint)
  // Signed words are for this node only: another one cannot be pointed to.
  if (url?.origin !== node) throw noAnswer(endpoint, 'it does not say where the upload is')
  return { url: url.href, complete: Number(response.headers.get('upload-offset') ?? 0) === byteLength }
}

function base64Of(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
}
