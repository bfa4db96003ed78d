import type { Logger } from '@hexachord/platform/process'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { Ffmpeg } from '../transcoding/index.ts'
import type { OpenSecret, SourceFiles, Upload, UploadStore } from '../uploads/index.ts'
import { type BlockRecorder, createBlockRecorder } from './block-recorder.ts'
import type { CpuSlots } from './cpu-slots.ts'

/** What the work on uploads stands on. */
export type WorkOptions = {
  uploads: UploadStore
  files: SourceFiles
  ipfs: IpfsNode
  ffmpeg: Ffmpeg
  ffprobePath: string | undefined
  openSecret: OpenSecret
  slots: CpuSlots
  /** Holds what ffmpeg writes until it is stored. */
  workDirectory: string
  logger: Logger
  /** ms since 1970. */
  now: () => number
  /** The track was there before: the upload has cost nothing. */
  onReused: (id: string) => void
  /** Called with each track that is made or taken in once it is known what it is: of one that is taken in, before any block
   * of it is here. */
  onTrack: (track: LoadedTrack) => void
  /** Others may begin to copy the upload's blocks. */
  onFirstBlock: (id: string) => void
}

/** One upload under work. */
export type Work = WorkOptions & {
  readonly id: string
  readonly input: string
  readonly recorder: BlockRecorder
}

/** Begins one upload's work. Its recorder has to be closed. */
export function openWork(id: string, options: WorkOptions): Work {
  const { uploads, ipfs, files, onFirstBlock } = options
  const recorder = createBlockRecorder({ id, uploads, ipfs, onFirstBlock: () => onFirstBlock(id) })
  return { ...options, id, input: files.pathOf(id), recorder }
}

/** The upload was removed while it was worked on. */
export class UploadGone extends Error {
  override readonly name = 'UploadGone'
}

/** The upload as it is now. @throws UploadGone */
export function currentUpload({ id, uploads }: Pick<Work, 'id' | 'uploads'>): Upload {
  const upload = uploads.get(id)
  if (upload === undefined) throw new UploadGone(`upload ${id} was removed`)
  return upload
}

const baseTimeoutMs = 5 * 60_000

/** A machine that needs longer than the music itself cannot keep up anyway; short files have some minutes. */
export function ffmpegTimeoutMs(durationMs: number): number {
  return baseTimeoutMs + durationMs
}
