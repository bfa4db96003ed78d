import { readFile, stat } from 'node:fs/promises'
import { loadTrack } from '@hexachord/protocol/manifests'
import { parseAddress, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import { createToken } from '@hexachord/protocol/tokens'
import { Wallet } from 'ethers'
import type { CreatorProcess } from './creator-process.ts'

/** When what an upload was waited for had happened, in ms from its last byte. */
export type UploadTimes = {
  /** A first segment had its place in the store of blocks: synced, and under its name. */
  readonly firstStoredMs: number
  /** The node said so, after it had probed the file. */
  readonly firstListedMs: number
  /** A manifest that plays, of the first rendition. */
  readonly playableMs: number
  /** The manifest of the whole track. */
  readonly manifestMs: number
  readonly upload: UploadAnswer
}

const tus = { 'Tus-Resumable': '1.0.0' }
const timeoutMs = 1_800_000

/** Sends a file by a new key, its last byte apart, and watches until there is a manifest.
 * @throws an error when the node refuses it or fails */
export async function uploadFile(
  node: CreatorProcess,
  file: string,
  outer: AbortSignal,
): Promise<UploadTimes> {
  const { origin, domain } = node
  const signal = AbortSignal.any([outer, AbortSignal.timeout(timeoutMs)])
  const bytes = await readFile(file)
  const author = new Wallet(Wallet.createRandom().privateKey)
  const authorization = await createToken(author, domain, {
    audience: origin,
    expiresAt: Date.now() + 600_000,
  })
  const grant = await signGrant(author, domain, {
    subject: subjectOf(parseAddress(author.address), 1n),
    ...{ audience: origin, byteLimit: 4_000_000_000, expiresAt: Date.now() + 3_600_000 },
  })
  const metadata = { filename: 'bench', grant: JSON.stringify(grant) }
  const created = await fetch(`${origin}/uploads`, {
    method: 'POST',
    headers: {
      ...{ ...tus, authorization, 'Upload-Length': String(bytes.length) },
      'Upload-Metadata': Object.entries(metadata)
        .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
        .join(','),
    },
    signal,
  })
  const url = created.headers.get('location')
  if (url === null) throw new Error(`the node answers ${created.status}: ${await created.text()}`)
  const send = async (from: number, to: number) => {
    const response = await fetch(url, {
      method: 'PATCH',
      headers: {
        ...{ ...tus, authorization, 'Upload-Offset': String(from) },
        'Content-Type': 'application/offset+octet-stream',
      },
      body: bytes.subarray(from, to),
      signal,
    })
    if (!response.ok) throw new Error(`the node answers ${response.status}: ${await response.text()}`)
  }
  await send(0, bytes.length - 1)
  const startMs = performance.now()
  const [times] = await Promise.all([watch(url, startMs, signal), send(bytes.length - 1, bytes.length)])
  const storedAtMs = await whenFirstStored(node, times.upload, signal)
  return { ...times, firstStoredMs: storedAtMs - performance.timeOrigin - startMs }
}

/** A rename into the store is the last change of a block's file. @returns ms since 1970 */
async function whenFirstStored(
  { origin, blockFile }: CreatorProcess,
  { track }: UploadAnswer,
  signal: AbortSignal,
): Promise<number> {
  const loaded = await loadTrack(track?.manifest ?? '', async (cid) => {
    const response = await fetch(`${origin}/ipfs/${cid}?format=raw`, { signal })
    return new Uint8Array(await response.arrayBuffer())
  })
  const stored = await Promise.all(
    loaded.renditions.flatMap(({ segments: [first] }) => (first ? [stat(blockFile(first[2]['/']))] : [])),
  )
  return Math.min(...stored.map(({ ctimeMs }) => ctimeMs))
}

async function watch(
  url: string,
  startMs: number,
  signal: AbortSignal,
): Promise<Omit<UploadTimes, 'firstStoredMs'>> {
  let firstListedMs: number | undefined
  let playableMs: number | undefined
  for await (const upload of statesOf(url, signal)) {
    const afterMs = performance.now() - startMs
    if (upload.renditions.some(({ segments }) => segments > 0)) firstListedMs ??= afterMs
    if (upload.playable !== null) playableMs ??= afterMs
    if (upload.state === 'failed') throw new Error(`the upload has failed: ${upload.reason}`)
    if (upload.track === null) continue
    return {
      ...{ manifestMs: afterMs, upload },
      firstListedMs: firstListedMs ?? afterMs,
      playableMs: playableMs ?? afterMs,
    }
  }
  throw new Error(`the node ended the events of ${url}`)
}

/** The upload as it is, and at each event from then on. */
async function* statesOf(url: string, signal: AbortSignal): AsyncGenerator<UploadAnswer> {
  const response = await fetch(`${url}/events`, { signal })
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const events = `${text}${chunk}`.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const [, data] = /^data: (.*)$/m.exec(event) ?? []
      if (data !== undefined) yield uploadAnswerSchema.parse(JSON.parse(data))
    }
  }
}
