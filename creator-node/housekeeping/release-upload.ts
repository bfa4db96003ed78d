import { hasEnded, type Upload } from '../uploads/index.ts'

/** What is to be thrown away of an upload. */
export type Rubbish = {
  /** The file that the artist sent. */
  readonly source: boolean
  /** The pins of its blocks. */
  readonly blocks: boolean
  /** All memory of it. */
  readonly record: boolean
}

/** Sources stay a little longer than their track is made, for whoever looks into what went wrong. */
export const sourceGraceMs = 60 * 60_000
/** What was published is still being played when it has been replaced or deleted. As long as content services keep it. */
export const replacedGraceMs = 24 * 60 * 60_000
/** Uploads that nobody goes on with. */
export const abandonedAfterMs = 24 * 60 * 60_000
/** Uploads that nobody has even begun to send: what they were promised is soon there for others again. */
export const emptyAfterMs = 15 * 60_000
/** Ended uploads can be asked about for this long. */
export const recordMs = 30 * 24 * 60 * 60_000

/** Whether nobody has sent anything for an upload in so long that it is taken for abandoned.
 * @param file bytes that have arrived, and when the last did; a request that still sends does not tell before its end
 * @param nowMs ms since 1970 */
export function isAbandoned(
  { state, createdAtMs, changedAtMs }: Upload,
  nowMs: number,
  file: { byteLength: number; changedAtMs: number | undefined },
): boolean {
  if (state !== 'receiving') return false
  if (file.byteLength === 0) return nowMs - createdAtMs > emptyAfterMs
  return nowMs - Math.max(changedAtMs, file.changedAtMs ?? 0) > abandonedAfterMs
}

/**
 * What of an upload has become useless. Blocks are kept while the upload may still be published (its grant tells how
 * long), and for ever once it is: as long as the catalogue names its manifest.
 * @param published whether the catalogue does
 * @param changedAtMs when the catalogue last changed its mind about the upload's subject, if it knows it: when the
 *   upload was replaced or deleted, perhaps
 */
export function rubbishOf(upload: Upload, published: boolean, nowMs: number, changedAtMs?: number): Rubbish {
  if (!hasEnded(upload.state)) return { source: false, blocks: false, record: false }
  const endedAtMs = upload.endedAtMs ?? upload.changedAtMs
  const recent = changedAtMs !== undefined && nowMs - changedAtMs <= replacedGraceMs
  const wanted = published || (upload.state === 'ready' && (recent || upload.grant.expiresAt > nowMs))
  return {
    source: !upload.sourceGone && nowMs - endedAtMs > sourceGraceMs,
    blocks: !upload.released && !wanted,
    record: upload.released && upload.sourceGone && nowMs - endedAtMs > recordMs,
  }
}
