import { problemSchema } from '@hexachord/protocol/rest'

export type Refusal = {
  status: number
  /** What comes after `urn:hexachord:problem:`. */
  problem: string
  detail: string
  headers: Headers
}

/** Reads an answer that says no. @throws when it is not problem details by RFC 9457, or says too little to act on */
export async function refusalOf(response: Response): Promise<Refusal> {
  const text = await response.text()
  const shown = `${response.status} ${response.headers.get('content-type')}: ${text.slice(0, 500)}`
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) {
    throw new Error(`this is not problem details: ${shown}`)
  }
  const { type, status, title, detail = '' } = problemSchema.parse(JSON.parse(text))
  const prefix = 'urn:hexachord:problem:'
  if (status !== response.status || !type.startsWith(prefix))
    throw new Error(`status or type is off: ${shown}`)
  if (title === '' || detail.length < 10 || /\bat .+:\d+:\d+|node_modules/.test(text)) {
    throw new Error(`the detail says nothing, or too much: ${shown}`)
  }
  return { status, problem: type.slice(prefix.length), detail, headers: response.headers }
}

/** Sends a request that will be refused. */
export async function refused(url: string, init: RequestInit = {}): Promise<Refusal> {
  return refusalOf(await fetch(url, { signal: AbortSignal.timeout(15_000), ...init }))
}
